//! The decoder: tokens to hidden states, over whole trees or after a cache.

use crate::attention::Context;
use crate::cache::ForkCache;
use crate::layout::{TreeLayout, causal, padding_bias};
use crate::linear::{Linear, normal};
use crate::{block::Block, config::DecoderConfig, norm::RmsNorm, rotary::Rotary};
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ssft_data::pack::PackedTrees;

/// A Llama-family language model.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Everything but the head.
    pub model: Body,
    /// The head, if it is not the embedding itself.
    pub lm_head: Option<Linear>,
    #[module(skip)]
    config: DecoderConfig,
}

/// Everything but the head.
#[derive(Module, Debug)]
#[allow(missing_docs)] // the fields are Hugging Face's weight names
pub struct Body {
    pub embed_tokens: Embedding,
    pub layers: Vec<Block>,
    pub norm: RmsNorm,
}

/// One row a token.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[vocab, width]`.
    pub weight: Param<Tensor<2>>,
}

impl Decoder {
    /// A model with random weights, drawn on the host from `seed`. On an autodiff device its parameters are tracked.
    pub fn init(config: &DecoderConfig, seed: u64, device: &Device) -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let shape = [config.vocab_size, config.hidden_size];
        let body = Body {
            embed_tokens: Embedding { weight: normal(shape, config.embedding_std(), rng, device) },
            layers: (0..config.num_hidden_layers).map(|_| Block::init(config, rng, device)).collect(),
            norm: RmsNorm::init(config.hidden_size, config.rms_norm_eps, device),
        };
        let head = (!config.tie_word_embeddings)
            .then(|| Linear { weight: normal(shape, config.input_std(), rng, device), bias: None });
        Self { model: body, lm_head: head, config: config.clone() }
    }

    /// The shape of the model.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// The device of the weights, with autodiff if they are tracked.
    pub fn device(&self) -> Device {
        self.model.embed_tokens.weight.val().device()
    }

    /// The matrix that turns hidden states into logits, `[vocab, width]`.
    pub fn head(&self) -> Tensor<2> {
        match &self.lm_head {
            Some(head) => head.weight.val(),
            None => self.model.embed_tokens.weight.val(),
        }
    }

    /// Hidden states of all tokens of all trees.
    ///
    /// # Shapes
    /// Returns `[tokens, width]`, in the order of `packed.tokens`.
    pub fn forward(&self, packed: &PackedTrees) -> Tensor<2> {
        self.over_trees(packed, None)
    }

    /// Hidden states of the given prompts, and the cache that forks continue from.
    ///
    /// # Shapes
    /// Returns `[tokens, width]`, in the order of `packed.tokens`; `packed` has prompts only.
    ///
    /// # Panics
    /// If `packed` has branches: their keys would be lost.
    pub fn prefill(&self, packed: &PackedTrees) -> (Tensor<2>, ForkCache) {
        assert_eq!(packed.branches.tokens, 0, "prefill takes prompts without branches");
        let mut layers = Vec::with_capacity(self.model.layers.len());
        let hidden = self.over_trees(packed, Some(&mut layers));
        let cache = ForkCache { layers, prompt_lengths: packed.prompts.lengths.clone(), own_length: 0 };
        (hidden, cache)
    }

    fn over_trees(
        &self,
        packed: &PackedTrees,
        mut keep: Option<&mut Vec<crate::cache::LayerCache>>,
    ) -> Tensor<2> {
        let device = self.device();
        let layout = TreeLayout::new(packed, self.config.group(), &device);
        let rotary = self.rotary(&packed.positions, &device);
        let mut x = self.embed(&packed.tokens, &device);
        for block in &self.model.layers {
            x = block
                .forward(x, Context::Tree { rotary: &rotary, layout: &layout, keep: keep.as_deref_mut() });
        }
        self.model.norm.forward(x)
    }

    /// Hidden states of the next tokens of every fork; the cache grows by them.
    ///
    /// # Shapes
    /// `tokens [questions * forks * new]`, in that order; returns `[questions * forks * new, width]`.
    pub fn extend(&self, tokens: &[i32], dims: [usize; 3], cache: &mut ForkCache) -> Tensor<2> {
        let [questions, forks, new] = dims;
        assert_eq!(
            tokens.len(),
            questions * forks * new,
            "extend: {} tokens for dims {dims:?}",
            tokens.len()
        );
        let device = self.device();
        let past = cache.own_length;
        let starts = cache.prompt_lengths.iter().map(|length| (length + past) as i32);
        let positions: Vec<i32> =
            starts.flat_map(|start| (0..forks).flat_map(move |_| start..start + new as i32)).collect();
        let rotary = self.rotary(&positions, &device);
        let longest = cache.prompt_lengths.iter().copied().max().unwrap_or(0);
        let prompt_bias = padding_bias(&cache.prompt_lengths, longest, &device);
        let own_bias = causal(new, past, self.config.group(), &device);
        let mut x = self.embed(tokens, &device);
        for (block, cache) in self.model.layers.iter().zip(&mut cache.layers) {
            let (prompt_bias, own_bias) = (&prompt_bias, &own_bias);
            x = block.forward(x, Context::Extend { rotary: &rotary, dims, prompt_bias, own_bias, cache });
        }
        cache.own_length += new;
        self.model.norm.forward(x)
    }

    fn rotary(&self, positions: &[i32], device: &Device) -> Rotary {
        Rotary::at(positions, self.config.head_dim, self.config.rope_theta, device)
    }

    fn embed(&self, tokens: &[i32], device: &Device) -> Tensor<2> {
        let index = Tensor::<1, Int>::from_data(TensorData::new(tokens.to_vec(), [tokens.len()]), device);
        self.model.embed_tokens.weight.val().select(0, index)
    }
}
