//! Host side of `adamw.wgsl` and `sum_of_squares.wgsl`.

use super::launch::{launch, one_lane_each, room, tensor, variant, word};
use crate::adamw_rule::Coefficients;
use crate::source::{ADAMW, SUM_OF_SQUARES};
use burn_wgpu::{CubeTensor, into_contiguous};

/// Numbers that one workgroup sums, unless the list is longer than [`MOST_PIECES`] such pieces. For up to this number a
/// second launch costs more time than one workgroup takes.
const PIECE: usize = 1 << 16;
/// Most pieces of a list; one workgroup adds their sums.
const MOST_PIECES: usize = 1 << 10;
/// Value of `squared` in the uniform of `sum_of_squares.wgsl`: it sums squares, or the numbers themselves.
const SQUARED: usize = 1;
const PLAIN: usize = 0;

/// Parameter, first and second moment after an update, in place if no other tensor shares their memory.
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
    let shader = variant(ADAMW, &parameter.device);
    launch(
        &parameter.client,
        shader,
        one_lane_each(shader, count),
        &[&parameter.handle, &gradient.handle, &first.handle, &second.handle],
        &[&[count], &numbers[..]].concat(),
    );
    (parameter, first, second)
}

/// The tensor row by row, in memory that no other tensor shares; copied only where needed.
fn owned(tensor: CubeTensor) -> CubeTensor {
    let tensor = into_contiguous(tensor);
    if tensor.can_mut() { tensor } else { tensor.copy() }
}

/// Sum of the squares of all elements, `[1]`.
pub fn sum_of_squares(values: CubeTensor) -> CubeTensor {
    let values = into_contiguous(values);
    let (client, count) = (&values.client, values.meta.shape().num_elements());
    let shader = variant(SUM_OF_SQUARES, &values.device);
    let piece = count.div_ceil(MOST_PIECES).max(PIECE);
    let pieces = count.div_ceil(piece);
    let mut sums = room(client, pieces);
    launch(client, shader, pieces, &[&values.handle, &sums], &[count, piece, SQUARED]);
    if pieces > 1 {
        let total = room(client, 1);
        launch(client, shader, 1, &[&sums, &total], &[pieces, pieces, PLAIN]);
        sums = total;
    }
    tensor(&values, sums, &[1])
}
