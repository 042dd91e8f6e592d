//! Grouped-query attention over packed trees, the same for training, matching and decoding.

use crate::cache::{CacheAccess, KeyValue, Pass};
use crate::config::DecoderConfig;
use crate::initializer::{Initializer, input_std, residual_std};
use crate::linear::Linear;
use crate::norm::RmsNorm;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ssft_kernels::{rotary, tree_attention};

/// Causal self-attention. Source: grouped queries, arXiv 2305.13245.
#[derive(Module, Debug)]
#[allow(missing_docs, reason = "the fields are Hugging Face's weight names")]
pub struct Attention {
    pub q_proj: Linear,
    pub k_proj: Linear,
    pub v_proj: Linear,
    pub o_proj: Linear,
    pub q_norm: Option<RmsNorm>,
    pub k_norm: Option<RmsNorm>,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    kv_heads: usize,
    #[module(skip)]
    head_dim: usize,
}

impl Attention {
    /// Attention with initial weights.
    pub fn init(config: &DecoderConfig, numbers: &mut Initializer, device: &Device) -> Self {
        let (width, head_dim) = (config.hidden_size, config.head_dim);
        let (inner, kv_inner) =
            (config.num_attention_heads * head_dim, config.num_key_value_heads * head_dim);
        let (read, write) = (input_std(config), residual_std(config));
        let (qkv_bias, output_bias) = (config.qkv_bias().into(), config.output_bias().into());
        let norm = |numbers: &Initializer| {
            config.qk_norm().then(|| RmsNorm::init(head_dim, config.rms_norm_eps, numbers, device))
        };
        Self {
            q_proj: Linear::init([inner, width], qkv_bias, read, numbers, device),
            k_proj: Linear::init([kv_inner, width], qkv_bias, read, numbers, device),
            v_proj: Linear::init([kv_inner, width], qkv_bias, read, numbers, device),
            o_proj: Linear::init([width, inner], output_bias, write, numbers, device),
            q_norm: norm(numbers),
            k_norm: norm(numbers),
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            head_dim,
        }
    }

    /// The same attention with its weights column by column; see [`crate::weight::Weight::column_major`].
    pub(crate) fn column_major(self) -> Self {
        let [q_proj, k_proj, v_proj, o_proj] =
            [self.q_proj, self.k_proj, self.v_proj, self.o_proj].map(|map| map.column_major());
        Self { q_proj, k_proj, v_proj, o_proj, ..self }
    }

    /// `residual + attention(x)`.
    ///
    /// # Shapes
    /// `x [tokens, width]` and `angles [tokens, head_dim]` for the new tokens of `pass`, `residual [tokens, width]`;
    /// returns `[tokens, width]`.
    pub(crate) fn forward_onto(
        &self,
        x: Tensor<2>,
        residual: Tensor<2>,
        angles: &Tensor<2>,
        pass: &Pass,
        cache: CacheAccess<'_>,
    ) -> Tensor<2> {
        let [tokens, _] = x.dims();
        let split = |y: Tensor<2>, heads: usize| y.reshape([tokens, heads, self.head_dim]);
        let query = positioned(split(self.q_proj.forward(x.clone()), self.heads), &self.q_norm, angles);
        let new = KeyValue {
            key: positioned(split(self.k_proj.forward(x.clone()), self.kv_heads), &self.k_norm, angles),
            value: split(self.v_proj.forward(x), self.kv_heads),
        };
        let KeyValue { key, value } = cache.with(new, pass);
        let mixed = tree_attention(query, key, value, &pass.forest);
        self.o_proj.forward_onto(mixed.reshape([tokens, self.heads * self.head_dim]), residual)
    }
}

/// Queries or keys, normalised per head if the model does so, and rotated to their positions.
fn positioned(x: Tensor<3>, norm: &Option<RmsNorm>, angles: &Tensor<2>) -> Tensor<3> {
    let x = match norm {
        Some(norm) => norm.forward(x),
        None => x,
    };
    rotary(x, angles.clone())
}
