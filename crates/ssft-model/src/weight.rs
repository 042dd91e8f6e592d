//! How a weight matrix is held in memory. Most of what depends on it is in this file.
//!
//! Today a matrix is an f32 tensor, row-major or column-major. The decoder only calls the methods of [`Weight`], so that a
//! 16-bit matrix changes this file, the products in `ssft_kernels`, and the readback in [`crate::tensor_file`]. Types of
//! numbers in files are in [`crate::precision`]; norms and biases are vectors, which stay f32.

use crate::initializer::Initializer;
use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param,
};
use burn::tensor::{Device, Int, Tensor};

/// A weight matrix `[out, in]`, or a table with one row per token `[vocab, width]`.
#[derive(Debug, Clone)]
pub struct Weight(Param<Tensor<2>>);

impl Weight {
    /// A matrix of normally distributed numbers with mean 0 and standard deviation `std`.
    pub(crate) fn init(shape: [usize; 2], std: f64, numbers: &mut Initializer, device: &Device) -> Self {
        Self(numbers.normal(shape, std, device))
    }

    /// `x w^T`.
    ///
    /// # Shapes
    /// `x [rows, in]`; returns `[rows, out]`.
    pub fn product(&self, x: Tensor<2>) -> Tensor<2> {
        ssft_kernels::linear(x, self.0.val())
    }

    /// `residual + x w^T`.
    ///
    /// # Shapes
    /// `x [rows, in]`, `residual [rows, out]`; returns `[rows, out]`.
    pub fn product_onto(&self, x: Tensor<2>, residual: Tensor<2>) -> Tensor<2> {
        ssft_kernels::linear_onto(x, self.0.val(), residual)
    }

    /// The rows with these numbers.
    ///
    /// # Shapes
    /// `numbers [n]`; returns `[n, in]`.
    pub fn rows(&self, numbers: Tensor<1, Int>) -> Tensor<2> {
        self.0.val().select(0, numbers)
    }

    /// The whole matrix in f32, `[out, in]`, for [`ssft_kernels::linear_nll`].
    pub fn matrix(&self) -> Tensor<2> {
        self.0.val()
    }

    /// The device of the matrix, with autodiff if it is tracked.
    pub fn device(&self) -> Device {
        self.0.val().device()
    }

    /// The same matrix, its numbers column by column on devices where this makes products faster
    /// ([`ssft_kernels::column_major`]): for a weight without gradient that several passes read. It costs a copy.
    pub fn column_major(self) -> Self {
        Self(self.0.map(ssft_kernels::column_major))
    }
}

/// Every method is that of the parameter inside: the newtype adds no level to the names of parameters.
impl Module for Weight {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Self(self.0.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        Self(self.0.to_device(device))
    }

    fn train(self) -> Self {
        Self(self.0.train())
    }

    fn valid(&self) -> Self {
        Self(self.0.valid())
    }

    fn materialize(self) -> Self {
        Self(self.0.materialize())
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        self.0.visit(visitor);
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        Self(Module::map(self.0, mapper))
    }
}

impl ModuleDisplayDefault for Weight {
    fn content(&self, content: Content) -> Option<Content> {
        self.0.content(content)
    }
}

impl ModuleDisplay for Weight {}
