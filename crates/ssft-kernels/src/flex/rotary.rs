//! Rotary position embedding on the CPU.

use super::parallel::*;
use super::wide::wide;
use crate::extension::Rotation;

/// Tokens of a task.
const TASK_TOKENS: usize = 64;

/// Rotates the pairs of every head by the angles of its token, in place.
///
/// # Shapes
/// `values [tokens, heads, head_dim]`, `angles [tokens, head_dim]`: cosines, then sines.
pub fn rotate(values: &mut [f32], angles: &[f32], head_dim: usize, heads: usize, rotation: Rotation) {
    let (row, sign) = (heads * head_dim, rotation.sign());
    let tasks = values.par_chunks_mut(TASK_TOKENS * row).zip(angles.par_chunks(TASK_TOKENS * head_dim));
    tasks.for_each(|(values, angles)| rotate_tokens(values, angles, [row, head_dim], sign));
}

wide! {
    fn rotate_tokens(values: &mut [f32], angles: &[f32], sizes: [usize; 2], sign: f32) {
        let [row, head_dim] = sizes;
        for (values, angles) in values.chunks_exact_mut(row).zip(angles.chunks_exact(head_dim)) {
            let (cos, sin) = angles.split_at(head_dim / 2);
            for head in values.chunks_exact_mut(head_dim) {
                let (first, second) = head.split_at_mut(head_dim / 2);
                for i in 0..head_dim / 2 {
                    let (a, b, c, s) = (first[i], second[i], cos[i], sign * sin[i]);
                    first[i] = a * c - b * s;
                    second[i] = b * c + a * s;
                }
            }
        }
    }
}
