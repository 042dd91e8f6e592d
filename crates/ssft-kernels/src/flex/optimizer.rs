//! Update of a parameter and sum of squares on the CPU.

use super::parallel::*;
use super::tensors::{vector, writable};
use super::wide::{sum_over, wide};
use crate::adamw_rule::Coefficients;
use burn::backend::flex::FlexTensor;

/// Numbers of a task. The number is fixed, so that sums do not depend on the number of cores.
const TASK: usize = 1 << 14;

/// As [`crate::adamw()`].
pub fn adamw(
    parameter: FlexTensor,
    gradient: FlexTensor,
    first: FlexTensor,
    second: FlexTensor,
    by: Coefficients,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let gradient = gradient.to_contiguous();
    let [mut parameter, mut first, mut second] = [parameter, first, second].map(writable);
    let tasks = parameter
        .storage_mut::<f32>()
        .par_chunks_mut(TASK)
        .zip(first.storage_mut::<f32>().par_chunks_mut(TASK))
        .zip(second.storage_mut::<f32>().par_chunks_mut(TASK))
        .zip(gradient.storage::<f32>().par_chunks(TASK));
    tasks.for_each(|(((parameter, first), second), gradient)| update(parameter, first, second, gradient, by));
    (parameter, first, second)
}

wide! {
    fn update(parameter: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32], by: Coefficients) {
        let moments = first.iter_mut().zip(second);
        for ((p, (m, v)), &g) in parameter.iter_mut().zip(moments).zip(gradient) {
            let g = g * by.scale;
            *m = by.beta1 * *m + (1.0 - by.beta1) * g;
            *v = by.beta2 * *v + (1.0 - by.beta2) * g * g;
            *p = by.keep * *p - by.rate * *m / ((*v * by.unbias).sqrt() + by.epsilon);
        }
    }
}

/// As [`crate::sum_of_squares`].
pub fn sum_of_squares(tensor: &FlexTensor) -> FlexTensor {
    let tensor = tensor.to_contiguous();
    let parts: Vec<f32> = tensor.storage::<f32>().par_chunks(TASK).map(squares).collect();
    vector(vec![parts.iter().map(|&part| f64::from(part)).sum::<f64>() as f32])
}

wide! {
    fn squares(values: &[f32]) -> f32 {
        sum_over(values, values, |a, b| a * b)
    }
}
