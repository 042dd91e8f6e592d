//! Rotary position embedding on the CPU.

use super::wide::wide;
use rayon::prelude::*;

/// Tokens of one task.
const TASK_TOKENS: usize = 64;

/// Turns the pairs of every head by the angles of its token, or back.
///
/// # Shapes
/// `input [tokens, heads, head_dim]`, `angles [tokens, head_dim]`: cosines, then sines.
pub fn turn(input: &[f32], angles: &[f32], head_dim: usize, heads: usize, back: bool) -> Vec<f32> {
    let (row, sign) = (heads * head_dim, if back { -1.0 } else { 1.0 });
    let mut output = vec![0.0; input.len()];
    let tasks = output
        .par_chunks_mut(TASK_TOKENS * row)
        .zip(input.par_chunks(TASK_TOKENS * row))
        .zip(angles.par_chunks(TASK_TOKENS * head_dim));
    tasks.for_each(|((output, input), angles)| turn_tokens(output, input, angles, [row, head_dim], sign));
    output
}

wide! {
    fn turn_tokens(output: &mut [f32], input: &[f32], angles: &[f32], sizes: [usize; 2], sign: f32) {
        let [row, head_dim] = sizes;
        let tokens = output.chunks_exact_mut(row).zip(input.chunks_exact(row)).zip(angles.chunks_exact(head_dim));
        for ((output, input), angles) in tokens {
            let (cos, sin) = angles.split_at(head_dim / 2);
            for (output, input) in output.chunks_exact_mut(head_dim).zip(input.chunks_exact(head_dim)) {
                let (first, second) = input.split_at(head_dim / 2);
                let (out_first, out_second) = output.split_at_mut(head_dim / 2);
                for i in 0..head_dim / 2 {
                    let (a, b, c, s) = (first[i], second[i], cos[i], sign * sin[i]);
                    out_first[i] = a * c - b * s;
                    out_second[i] = b * c + a * s;
                }
            }
        }
    }
}
