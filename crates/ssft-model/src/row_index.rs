//! Row numbers and token ids as integer tensors: the one place where `u32` becomes the `i32` of a device.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// `numbers` on `device`, `[numbers.len()]`.
pub(crate) fn row_index(numbers: &[u32], device: &Device) -> Tensor<1, Int> {
    let signed: Vec<i32> = numbers.iter().map(|&number| number as i32).collect();
    Tensor::from_data(TensorData::new(signed, [numbers.len()]), device)
}
