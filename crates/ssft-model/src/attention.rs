//! Grouped-query attention over trees, the same for training, matching and decoding.

use crate::cache::{KeyValue, Pass};
use crate::{config::DecoderConfig, initializer::Initializer, linear::Linear, norm::RmsNorm};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ssft_kernels::{rotary, tree_attention};
use std::collections::VecDeque;

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

/// What attention leaves of its keys and values.
#[derive(Debug)]
pub(crate) enum Memory<'a> {
    /// Nothing.
    Forget,
    /// All of them, as the next layer of a cache.
    Keep(&'a mut VecDeque<KeyValue>),
    /// All of them, with those of earlier passes: the first layer of a cache, which becomes its last.
    Extend(&'a mut VecDeque<KeyValue>),
}

impl Attention {
    /// Attention with its first weights.
    pub fn init(config: &DecoderConfig, numbers: &mut Initializer, device: &Device) -> Self {
        let (width, head_dim) = (config.hidden_size, config.head_dim);
        let (inner, kv_inner) =
            (config.num_attention_heads * head_dim, config.num_key_value_heads * head_dim);
        let (std, bias) = (config.input_std(), config.qkv_bias);
        let norm = |numbers: &Initializer| {
            config.qk_norm.then(|| RmsNorm::init(head_dim, config.rms_norm_eps, numbers, device))
        };
        Self {
            q_proj: Linear::init(width, inner, bias, std, numbers, device),
            k_proj: Linear::init(width, kv_inner, bias, std, numbers, device),
            v_proj: Linear::init(width, kv_inner, bias, std, numbers, device),
            o_proj: Linear::init(inner, width, config.output_bias, config.residual_std(), numbers, device),
            q_norm: norm(numbers),
            k_norm: norm(numbers),
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            head_dim,
        }
    }

    /// The same map, to be read by several passes without gradient.
    pub(crate) fn prepared(self) -> Self {
        let [q_proj, k_proj, v_proj, o_proj] =
            [self.q_proj, self.k_proj, self.v_proj, self.o_proj].map(Linear::prepared);
        Self { q_proj, k_proj, v_proj, o_proj, ..self }
    }

    /// What attention adds to `residual`.
    ///
    /// # Shapes
    /// `x [tokens, width]` and `angles [tokens, head_dim]` for the new tokens of `pass`, `residual [tokens, width]`;
    /// returns `[tokens, width]`.
    pub(crate) fn onto(
        &self,
        x: Tensor<2>,
        residual: Tensor<2>,
        angles: &Tensor<2>,
        pass: &Pass,
        memory: Memory<'_>,
    ) -> Tensor<2> {
        let [tokens, _] = x.dims();
        let split = |y: Tensor<2>, heads: usize| y.reshape([tokens, heads, self.head_dim]);
        let query = self.turned(split(self.q_proj.forward(x.clone()), self.heads), &self.q_norm, angles);
        let new = KeyValue {
            key: self.turned(split(self.k_proj.forward(x.clone()), self.kv_heads), &self.k_norm, angles),
            value: split(self.v_proj.forward(x), self.kv_heads),
        };
        let KeyValue { key, value } = match memory {
            Memory::Forget => new,
            Memory::Keep(layers) => {
                layers.push_back(new.clone());
                new
            }
            Memory::Extend(layers) => {
                // Taken out of the cache: what nobody else holds is written in place.
                let past = layers.pop_front().unwrap_or_else(|| panic!("a cache of fewer layers"));
                let all = past.with(new, pass);
                layers.push_back(all.clone());
                all
            }
        };
        let mixed = tree_attention(query, key, value, &pass.forest);
        self.o_proj.onto(mixed.reshape([tokens, self.heads * self.head_dim]), residual)
    }

    fn turned(&self, x: Tensor<3>, norm: &Option<RmsNorm>, angles: &Tensor<2>) -> Tensor<3> {
        let x = match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        rotary(x, angles.clone())
    }
}
