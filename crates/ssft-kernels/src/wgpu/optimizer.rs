//! Host side of `adamw.wgsl` and `sum_of_squares.wgsl`.

use super::launch::{lane_tile, launch, room, tensor, word};
use crate::optimizer::Coefficients;
use crate::source::{ADAMW, SUM_OF_SQUARES};
use burn_wgpu::{CubeTensor, into_contiguous};

/// Numbers that one workgroup adds up: a second launch costs more than the wait for so few.
const PIECE: usize = 1 << 16;
/// Pieces of a longer list at most; one workgroup adds them up.
const MOST_PIECES: usize = 1 << 10;

/// Parameter, first and second moment after an update: in place, if nobody else holds them.
pub fn adamw(
    parameter: CubeTensor,
    gradient: CubeTensor,
    first: CubeTensor,
    second: CubeTensor,
    by: Coefficients,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let gradient = into_contiguous(gradient);
    let [parameter, first, second] = [parameter, first, second].map(owned);
    let count = parameter.meta.shape().num_elements();
    let numbers = [by.beta1, by.beta2, by.epsilon, by.scale, by.keep, by.rate, by.unbias].map(word);
    launch(
        &parameter.client,
        (ADAMW, lane_tile(&parameter.device)),
        count.div_ceil(ADAMW.lanes as usize),
        &[&parameter.handle, &gradient.handle, &first.handle, &second.handle],
        &[&[count], &numbers[..]].concat(),
    );
    (parameter, first, second)
}

/// Row-major and nobody else's; copied only if it is not.
fn owned(tensor: CubeTensor) -> CubeTensor {
    let tensor = into_contiguous(tensor);
    if tensor.can_mut() { tensor } else { tensor.copy() }
}

/// `[1]`.
pub fn sum_of_squares(values: CubeTensor) -> CubeTensor {
    let values = into_contiguous(values);
    let (client, count) = (&values.client, values.meta.shape().num_elements());
    let source = (SUM_OF_SQUARES, lane_tile(&values.device));
    let piece = count.div_ceil(MOST_PIECES).max(PIECE);
    let pieces = count.div_ceil(piece);
    let mut sums = room(client, pieces);
    launch(client, source, pieces, &[&values.handle, &sums], &[count, piece, 1]);
    if pieces > 1 {
        let total = room(client, 1);
        launch(client, source, 1, &[&sums, &total], &[pieces, pieces, 0]);
        sums = total;
    }
    tensor(&values, sums, &[1])
}
