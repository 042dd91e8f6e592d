//! Gated feed-forward network.

use crate::config::DecoderConfig;
use crate::initializer::{Initializer, input_std, residual_std};
use crate::linear::Linear;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ssft_kernels::swiglu;

/// `y = W_down (silu(W_gate x) * W_up x)`. Source: SwiGLU, arXiv 2002.05202.
#[derive(Module, Debug)]
#[allow(missing_docs, reason = "the fields are Hugging Face's weight names")]
pub struct FeedForward {
    pub gate_proj: Linear,
    pub up_proj: Linear,
    pub down_proj: Linear,
}

impl FeedForward {
    /// A network with initial weights.
    pub fn init(config: &DecoderConfig, numbers: &mut Initializer, device: &Device) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let bias = config.feed_forward_bias().into();
        let (read, write) = (input_std(config), residual_std(config));
        Self {
            gate_proj: Linear::init([inner, width], bias, read, numbers, device),
            up_proj: Linear::init([inner, width], bias, read, numbers, device),
            down_proj: Linear::init([width, inner], bias, write, numbers, device),
        }
    }

    /// The same network with its weights column by column; see [`crate::weight::Weight::column_major`].
    pub(crate) fn column_major(self) -> Self {
        let [gate_proj, up_proj, down_proj] =
            [self.gate_proj, self.up_proj, self.down_proj].map(|map| map.column_major());
        Self { gate_proj, up_proj, down_proj }
    }

    /// `residual + y`.
    ///
    /// # Shapes
    /// `x [tokens, width]`, `residual [tokens, width]`; returns the same shape.
    pub fn forward_onto(&self, x: Tensor<2>, residual: Tensor<2>) -> Tensor<2> {
        let gate = self.gate_proj.forward(x.clone());
        self.down_proj.forward_onto(swiglu(gate, self.up_proj.forward(x)), residual)
    }
}
