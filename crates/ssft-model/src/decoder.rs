//! The decoder: tokens to hidden states, over whole trees or after a cache.

use crate::attention::Memory;
use crate::cache::{Growth, Pass, TreeCache};
use crate::initializer::Initializer;
use crate::linear::Linear;
use crate::packing::PackedTrees;
use crate::rotary::angles;
use crate::{block::Block, config::DecoderConfig, norm::RmsNorm};
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

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
#[allow(missing_docs, reason = "the fields are Hugging Face's weight names")]
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
        Self::build(config, &mut Initializer::Random(Box::new(ChaCha8Rng::seed_from_u64(seed))), device)
    }

    /// A model whose numbers come from `numbers`.
    pub(crate) fn build(config: &DecoderConfig, numbers: &mut Initializer, device: &Device) -> Self {
        let shape = [config.vocab_size, config.hidden_size];
        let body = Body {
            embed_tokens: Embedding { weight: numbers.normal(shape, config.embedding_std(), device) },
            layers: (0..config.num_hidden_layers).map(|_| Block::init(config, numbers, device)).collect(),
            norm: RmsNorm::init(config.hidden_size, config.rms_norm_eps, numbers, device),
        };
        let head = (!config.tie_word_embeddings)
            .then(|| Linear { weight: numbers.normal(shape, config.input_std(), device), bias: None });
        Self { model: body, lm_head: head, config: config.clone() }
    }

    /// Moves the model out and leaves one without layers: numbers that nobody else holds can be changed where they are.
    pub fn take(&mut self) -> Self {
        let config = DecoderConfig { vocab_size: 1, num_hidden_layers: 0, ..self.config.clone() };
        let hollow = Self::build(&config, &mut Initializer::Later, &self.device());
        std::mem::replace(self, hollow)
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

    /// What the model expects after each hidden state.
    ///
    /// # Shapes
    /// `hidden [rows, width]`; returns `[rows, vocab]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        ssft_kernels::linear(hidden, self.head())
    }

    /// The same model, its weights laid out for several passes without gradient ([`ssft_kernels::column_major`]).
    pub fn prepared(mut self) -> Self {
        let prepared = |block: Block| Block {
            self_attn: block.self_attn.prepared(),
            mlp: block.mlp.prepared(),
            ..block
        };
        self.model.layers = self.model.layers.into_iter().map(prepared).collect();
        self
    }

    /// Hidden states of all tokens of all trees.
    ///
    /// # Shapes
    /// Returns `[tokens, width]`, in the order of `packed.tokens`.
    pub fn forward(&self, packed: &PackedTrees) -> Tensor<2> {
        let (pass, device) = (Pass::over(packed), self.device());
        let angles = self.angles(&pass, &device);
        let embedded = self.embed(&packed.tokens, &device);
        let through = |x, block: &Block| block.forward(x, &angles, &pass, Memory::Forget);
        self.model.norm.forward(self.model.layers.iter().fold(embedded, through))
    }

    /// Hidden states of all tokens of all trees, and the cache that more tokens continue from; it numbers the runs of
    /// `packed` as they stand.
    ///
    /// # Shapes
    /// Returns `[tokens, width]`, in the order of `packed.tokens`.
    pub fn prefill(&self, packed: &PackedTrees) -> (Tensor<2>, TreeCache) {
        let mut cache = TreeCache::of(packed);
        let pass = Pass::over(packed);
        let device = self.device();
        let angles = self.angles(&pass, &device);
        let mut x = self.embed(&packed.tokens, &device);
        for block in &self.model.layers {
            x = block.forward(x, &angles, &pass, Memory::Keep(&mut cache.layers));
        }
        (self.model.norm.forward(x), cache)
    }

    /// Hidden states of more tokens, which the cache then holds too. Growth goes from run to run in order, and the runs
    /// that start are numbered on from [`TreeCache::runs`].
    ///
    /// # Shapes
    /// Returns `[tokens, width]`, in the order of `growth`.
    ///
    /// # Panics
    /// If the order of growth is another, or there is none.
    pub fn extend(&self, growth: &[(Growth, &[u32])], cache: &mut TreeCache) -> Tensor<2> {
        let device = self.device();
        let counts: Vec<(Growth, usize)> = growth.iter().map(|&(at, tokens)| (at, tokens.len())).collect();
        let tokens: Vec<i32> =
            growth.iter().flat_map(|(_, tokens)| tokens.iter()).map(|&token| token as i32).collect();
        let pass = cache.grow(&counts, &device);
        let angles = self.angles(&pass, &device);
        let mut x = self.embed(&tokens, &device);
        for block in &self.model.layers {
            x = block.forward(x, &angles, &pass, Memory::Extend(&mut cache.layers));
        }
        self.model.norm.forward(x)
    }

    fn angles(&self, pass: &Pass, device: &Device) -> Tensor<2> {
        angles(&pass.positions, &self.config, device)
    }

    fn embed(&self, tokens: &[i32], device: &Device) -> Tensor<2> {
        let index = Tensor::<1, Int>::from_data(TensorData::new(tokens.to_vec(), [tokens.len()]), device);
        self.model.embed_tokens.weight.val().select(0, index)
    }
}
