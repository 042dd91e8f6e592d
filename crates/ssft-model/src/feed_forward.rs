//! The gated feed-forward network.

use crate::{config::DecoderConfig, initializer::Initializer, linear::Linear};
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
    /// A network with its first weights.
    pub fn init(config: &DecoderConfig, numbers: &mut Initializer, device: &Device) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        Self {
            gate_proj: Linear::init(width, inner, config.mlp_bias, config.input_std(), numbers, device),
            up_proj: Linear::init(width, inner, config.mlp_bias, config.input_std(), numbers, device),
            down_proj: Linear::init(inner, width, config.mlp_bias, config.residual_std(), numbers, device),
        }
    }

    /// The same map, to be read by several passes without gradient.
    pub(crate) fn prepared(self) -> Self {
        let [gate_proj, up_proj, down_proj] =
            [self.gate_proj, self.up_proj, self.down_proj].map(Linear::prepared);
        Self { gate_proj, up_proj, down_proj }
    }

    /// `residual + y`.
    ///
    /// # Shapes
    /// `x [tokens, width]`, `residual [tokens, width]`; returns the same shape.
    pub fn onto(&self, x: Tensor<2>, residual: Tensor<2>) -> Tensor<2> {
        let gate = self.gate_proj.forward(x.clone());
        self.down_proj.onto(swiglu(gate, self.up_proj.forward(x)), residual)
    }
}
