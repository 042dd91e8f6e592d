//! Tensors of burn's CPU backend as slices and matrices, and back.

use super::matrix::Matrix;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, TensorData};

/// True if the storage of a tensor holds its elements row by row, and nothing else.
pub fn is_whole(tensor: &FlexTensor) -> bool {
    tensor.is_contiguous()
        && tensor.layout().start_offset() == 0
        && tensor.bytes().len() == size_of::<f32>() * tensor.shape().num_elements()
}

/// A whole tensor for writing in place. `storage_mut` copies memory that other tensors share.
pub fn writable(tensor: FlexTensor) -> FlexTensor {
    if is_whole(&tensor) { tensor } else { tensor.to_contiguous() }
}

fn is_column_major(tensor: &FlexTensor) -> bool {
    is_whole(&tensor.transpose(0, 1))
}

/// A matrix that is stored row by row or column by column, copied only if it is neither.
pub fn readable(tensor: FlexTensor) -> FlexTensor {
    if is_column_major(&tensor) { tensor } else { tensor.to_contiguous() }
}

/// A view of a matrix that [`readable`] returned.
pub fn matrix(tensor: &FlexTensor) -> Matrix<'_> {
    let [rows, columns] = tensor.shape().dims();
    match is_column_major(tensor) {
        true => Matrix::rows(tensor.storage(), rows).transpose(),
        false => Matrix::rows(tensor.storage(), columns),
    }
}

/// A tensor with the given numbers, row by row.
pub fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// As [`tensor`], with one dimension.
pub fn vector(values: Vec<f32>) -> FlexTensor {
    let length = values.len();
    tensor(values, [length])
}
