//! Grouped-query attention over trees, with one core for training, matching and decoding.

use crate::cache::{KeyValue, LayerCache};
use crate::layout::{Rectangle, TreeLayout};
use crate::{config::DecoderConfig, linear::Linear, norm::RmsNorm, rotary::Rotary};
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::softmax};
use rand_chacha::ChaCha8Rng;

/// Causal self-attention. Source: grouped queries, arXiv 2305.13245.
#[derive(Module, Debug)]
#[allow(missing_docs)] // the fields are Hugging Face's weight names
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

/// Whom the tokens of a forward pass see.
#[derive(Debug)]
pub enum Context<'a> {
    /// Whole trees: prompts see themselves, branches their prompt and themselves.
    /// `keep` receives the prompts' keys and values.
    Tree {
        /// Angles of all tokens.
        rotary: &'a Rotary,
        /// Cells of all tokens.
        layout: &'a TreeLayout,
        /// Where to keep the prompts' keys and values, if anywhere.
        keep: Option<&'a mut Vec<LayerCache>>,
    },
    /// New tokens of forks whose past is cached: flat in the order `[questions, forks, new tokens]`.
    Extend {
        /// Angles of the new tokens.
        rotary: &'a Rotary,
        /// Questions, forks, new tokens a fork.
        dims: [usize; 3],
        /// Hides the padding of prompts.
        prompt_bias: &'a Tensor<5>,
        /// Causality among the forks' own tokens.
        own_bias: &'a Tensor<5>,
        /// This layer's past; grows by the new tokens.
        cache: &'a mut LayerCache,
    },
}

/// Keys and values with what is added to their scores.
struct Part {
    past: KeyValue,
    bias: Tensor<5>,
}

/// Queries, keys and values of flat tokens, `[tokens, heads or kv_heads, head_dim]`.
struct Projected {
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
}

impl Attention {
    /// Random weights, drawn on the host.
    pub fn init(config: &DecoderConfig, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let (width, head_dim) = (config.hidden_size, config.head_dim);
        let (inner, kv_inner) =
            (config.num_attention_heads * head_dim, config.num_key_value_heads * head_dim);
        let (std, bias) = (config.input_std(), config.qkv_bias);
        let norm = || config.qk_norm.then(|| RmsNorm::init(head_dim, config.rms_norm_eps, device));
        Self {
            q_proj: Linear::init(width, inner, bias, std, rng, device),
            k_proj: Linear::init(width, kv_inner, bias, std, rng, device),
            v_proj: Linear::init(width, kv_inner, bias, std, rng, device),
            o_proj: Linear::init(inner, width, config.output_bias, config.residual_std(), rng, device),
            q_norm: norm(),
            k_norm: norm(),
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            head_dim,
        }
    }

    /// # Shapes
    /// `x [tokens, width]`, flat in the order of `context`; returns the same shape.
    pub fn forward(&self, x: Tensor<2>, context: Context<'_>) -> Tensor<2> {
        let mixed = match context {
            Context::Tree { rotary, layout, keep } => self.over_trees(self.project(x, rotary), layout, keep),
            Context::Extend { rotary, dims, prompt_bias, own_bias, cache } => {
                self.after_cache(self.project(x, rotary), dims, prompt_bias, own_bias, cache)
            }
        };
        self.o_proj.forward(mixed)
    }

    fn project(&self, x: Tensor<2>, rotary: &Rotary) -> Projected {
        let [tokens, _] = x.dims();
        let split = |y: Tensor<2>, heads: usize| y.reshape([tokens, heads, self.head_dim]);
        let norm =
            |y: Tensor<3>, norm: &Option<RmsNorm>| norm.as_ref().map_or(y.clone(), |norm| norm.forward(y));
        let query = norm(split(self.q_proj.forward(x.clone()), self.heads), &self.q_norm);
        let key = norm(split(self.k_proj.forward(x.clone()), self.kv_heads), &self.k_norm);
        Projected {
            query: rotary.turn(query),
            key: rotary.turn(key),
            value: split(self.v_proj.forward(x), self.kv_heads),
        }
    }

    fn over_trees(
        &self,
        flat: Projected,
        layout: &TreeLayout,
        keep: Option<&mut Vec<LayerCache>>,
    ) -> Tensor<2> {
        let prompts = &layout.prompts;
        let prompt = self.key_value(&flat, prompts);
        let part = Part { past: prompt.clone(), bias: prompts.bias.clone() };
        let mixed = self.attend_in(prompts, flat.query.clone(), part);
        if let Some(layers) = keep {
            layers.push(LayerCache { prompt: prompt.clone(), own: None });
        }
        let Some(branches) = &layout.branches else { return mixed };
        let past = prompt.followed_by(self.key_value(&flat, branches));
        let part = Part { past, bias: branches.bias.clone() };
        Tensor::cat(vec![mixed, self.attend_in(branches, flat.query, part)], 0)
    }

    fn after_cache(
        &self,
        flat: Projected,
        [questions, forks, new]: [usize; 3],
        prompt_bias: &Tensor<5>,
        own_bias: &Tensor<5>,
        cache: &mut LayerCache,
    ) -> Tensor<2> {
        let cells = |x: Tensor<3>, heads: usize| x.reshape([questions, forks, new, heads, self.head_dim]);
        let next = KeyValue {
            key: cells(flat.key, self.kv_heads).swap_dims(2, 3),
            value: cells(flat.value, self.kv_heads).swap_dims(2, 3),
        };
        let own = match cache.own.take() {
            Some(past) => past.followed_by(next),
            None => next,
        };
        cache.own = Some(own.clone());
        let parts = [
            Part { past: cache.prompt.clone(), bias: prompt_bias.clone() },
            Part { past: own, bias: own_bias.clone() },
        ];
        let mixed = self.attend(cells(flat.query, self.heads), parts);
        mixed.reshape([questions * forks * new, self.heads * self.head_dim])
    }

    fn key_value(&self, flat: &Projected, rectangle: &Rectangle) -> KeyValue {
        KeyValue {
            key: rectangle.lay_out(flat.key.clone()).swap_dims(2, 3),
            value: rectangle.lay_out(flat.value.clone()).swap_dims(2, 3),
        }
    }

    fn attend_in(&self, rectangle: &Rectangle, query: Tensor<3>, part: Part) -> Tensor<2> {
        rectangle.flatten(self.attend(rectangle.lay_out(query), [part]))
    }

    /// `softmax(q k^T / sqrt(head_dim) + bias) v`, with keys and values in one or more parts that share
    /// one softmax. A part with one branch is seen by all branches and is never copied for them.
    ///
    /// # Shapes
    /// `query [questions, branches, length, heads, head_dim]`; returns `[questions, branches, length, heads * head_dim]`.
    fn attend<const PARTS: usize>(&self, query: Tensor<5>, parts: [Part; PARTS]) -> Tensor<4> {
        let [questions, branches, length, heads, head_dim] = query.dims();
        let (kv_heads, group) = (self.kv_heads, heads / self.kv_heads);
        // Heads that share a key head stand one below the other, as more rows of one matrix product.
        let query = (query / (head_dim as f64).sqrt())
            .reshape([questions, branches, length, kv_heads, group * head_dim])
            .swap_dims(2, 3)
            .reshape([questions * branches, kv_heads, length, group, head_dim])
            .swap_dims(2, 3)
            .reshape([questions, branches, kv_heads, group * length, head_dim]);
        let scores = parts
            .iter()
            .map(|part| query.clone().matmul(part.past.key.clone().swap_dims(3, 4)) + part.bias.clone());
        let weights = softmax(joined(scores.collect()), 4);
        let mut start = 0;
        let mixed = parts.into_iter().map(|part| {
            let [_, _, _, keys, _] = part.past.value.dims();
            let weights = if PARTS == 1 { weights.clone() } else { weights.clone().narrow(4, start, keys) };
            start += keys;
            weights.matmul(part.past.value)
        });
        let mixed = mixed.reduce(|sum, part| sum + part).unwrap_or_else(|| panic!("attention over nothing"));
        mixed
            .reshape([questions * branches, kv_heads, group, length, head_dim])
            .swap_dims(2, 3)
            .reshape([questions, branches, kv_heads, length, group * head_dim])
            .swap_dims(2, 3)
            .reshape([questions, branches, length, heads * head_dim])
    }
}

fn joined(mut scores: Vec<Tensor<5>>) -> Tensor<5> {
    if scores.len() == 1 { scores.remove(0) } else { Tensor::cat(scores, 4) }
}
