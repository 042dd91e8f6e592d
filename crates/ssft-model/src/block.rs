//! One layer of the decoder.

use crate::attention::{Attention, Memory};
use crate::cache::Pass;
use crate::{config::DecoderConfig, feed_forward::FeedForward, norm::RmsNorm};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

/// `x + attention(norm(x))`, then `x + feed_forward(norm(x))`.
#[derive(Module, Debug)]
#[allow(missing_docs)] // the fields are Hugging Face's weight names
pub struct Block {
    pub self_attn: Attention,
    pub mlp: FeedForward,
    pub input_layernorm: RmsNorm,
    pub post_attention_layernorm: RmsNorm,
}

impl Block {
    /// Random weights, drawn on the host.
    pub fn init(config: &DecoderConfig, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let norm = || RmsNorm::init(config.hidden_size, config.rms_norm_eps, device);
        Self {
            self_attn: Attention::init(config, rng, device),
            mlp: FeedForward::init(config, rng, device),
            input_layernorm: norm(),
            post_attention_layernorm: norm(),
        }
    }

    /// # Shapes
    /// `x [tokens, width]` and `angles [tokens, head_dim]` for the new tokens of `pass`; returns `[tokens, width]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        angles: &Tensor<2>,
        pass: &Pass,
        memory: Memory<'_>,
    ) -> Tensor<2> {
        let normed = self.input_layernorm.forward(x.clone());
        let x = self.self_attn.onto(normed, x, angles, pass, memory);
        let normed = self.post_attention_layernorm.forward(x.clone());
        self.mlp.onto(normed, x)
    }
}
