//! The decoder: from tokens to hidden states and logits, over whole trees or with a cache.
//!
//! Not here: the loss (`ssft_kernels::linear_nll` on [`Decoder::head`]) and sampling (`ssft-decode`).

use crate::block::Block;
use crate::cache::{CacheAccess, Growth, Pass, TreeCache};
use crate::config::DecoderConfig;
use crate::initializer::{EMBEDDING_STD, Initializer, input_std};
use crate::linear::Linear;
use crate::norm::RmsNorm;
use crate::packing::PackedTrees;
use crate::rotary::angles;
use crate::row_index::row_index;
use crate::weight::Weight;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ssft_data::random::{Stream, generator};

/// A language model of one of the families of [`crate::family`].
///
/// ```
/// use burn::tensor::Device;
/// use ssft_model::config::Preset;
/// use ssft_model::packing::{PackedTrees, Tree};
/// use ssft_model::{Decoder, DecoderConfig};
///
/// let config = DecoderConfig::preset(Preset::Toy, 100);
/// let model = Decoder::init(&config, 1, &Device::flex());
/// let packed = PackedTrees::new(&[Tree { prompt: vec![3, 1, 4], branches: vec![] }]);
/// let hidden = model.forward(&packed);
/// assert_eq!(hidden.dims(), [3, config.hidden_size]);
/// assert_eq!(model.logits(hidden).dims(), [3, 100]);
/// ```
#[derive(Module, Debug)]
pub struct Decoder {
    /// Everything but the head.
    pub model: Body,
    /// The head; `None` if it is the embedding.
    pub lm_head: Option<Linear>,
    #[module(skip)]
    config: DecoderConfig,
}

/// Embedding, layers and the last norm.
#[derive(Module, Debug)]
#[allow(missing_docs, reason = "the fields are Hugging Face's weight names")]
pub struct Body {
    pub embed_tokens: Embedding,
    pub layers: Vec<Block>,
    pub norm: RmsNorm,
}

/// Table with one row per token.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[vocab, width]`.
    pub weight: Weight,
}

impl Decoder {
    /// A model with random weights, drawn on the host from `seed`. On an autodiff device all parameters are tracked.
    pub fn init(config: &DecoderConfig, seed: u64, device: &Device) -> Self {
        Self::build(config, &mut Initializer::Random(Box::new(generator(seed, Stream::Weights))), device)
    }

    /// A model whose parameters have the first values of `numbers`.
    pub(crate) fn build(config: &DecoderConfig, numbers: &mut Initializer, device: &Device) -> Self {
        let table = [config.vocab_size, config.hidden_size];
        let body = Body {
            embed_tokens: Embedding { weight: Weight::init(table, EMBEDDING_STD, numbers, device) },
            layers: (0..config.num_hidden_layers).map(|_| Block::init(config, numbers, device)).collect(),
            norm: RmsNorm::init(config.hidden_size, config.rms_norm_eps, numbers, device),
        };
        let head = (!config.tie_word_embeddings)
            .then(|| Linear { weight: Weight::init(table, input_std(config), numbers, device), bias: None });
        Self { model: body, lm_head: head, config: config.clone() }
    }

    /// Moves the model out and leaves one without layers. The moved model is the only owner of its tensors, so that an
    /// optimizer can update them in place.
    pub fn take(&mut self) -> Self {
        let config = DecoderConfig { vocab_size: 1, num_hidden_layers: 0, ..self.config.clone() };
        let hollow = Self::build(&config, &mut Initializer::Deferred, &self.device());
        std::mem::replace(self, hollow)
    }

    /// The shape of the model.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// The device of the weights, with autodiff if they are tracked.
    pub fn device(&self) -> Device {
        self.model.embed_tokens.weight.device()
    }

    /// The matrix that maps hidden states to logits, `[vocab, width]`.
    pub fn head(&self) -> Tensor<2> {
        self.head_weight().matrix()
    }

    fn head_weight(&self) -> &Weight {
        self.lm_head.as_ref().map_or(&self.model.embed_tokens.weight, |head| &head.weight)
    }

    /// Logits of the token after each hidden state.
    ///
    /// # Shapes
    /// `hidden [rows, width]`; returns `[rows, vocab]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.head_weight().product(hidden)
    }

    /// The same model for several passes without gradient: the matrices of its layers column by column
    /// ([`Weight::column_major`]). Embedding and head stay as they are: their rows are looked up.
    pub fn prepared(mut self) -> Self {
        self.model.layers = self.model.layers.into_iter().map(|block| block.column_major()).collect();
        self
    }

    /// Hidden states of all tokens of all trees.
    ///
    /// # Shapes
    /// Returns `[tokens, width]`, in the order of `packed.tokens`.
    pub fn forward(&self, packed: &PackedTrees) -> Tensor<2> {
        self.pass(&packed.tokens, &Pass::over(packed), CacheAccess::Unused)
    }

    /// Hidden states of all tokens of all trees, and a cache that [`Decoder::extend`] continues from. Its runs have the
    /// numbers of the runs of `packed`.
    ///
    /// # Shapes
    /// Returns `[tokens, width]`, in the order of `packed.tokens`.
    pub fn prefill(&self, packed: &PackedTrees) -> (Tensor<2>, TreeCache) {
        let mut cache = TreeCache::of(packed);
        let hidden = self.pass(&packed.tokens, &Pass::over(packed), CacheAccess::Fill(&mut cache.layers));
        (hidden, cache)
    }

    /// Hidden states of new tokens, whose keys and values are added to the cache. `growth` is in ascending order of runs;
    /// the runs that start get the numbers from [`TreeCache::runs`] on.
    ///
    /// # Shapes
    /// Returns `[new tokens, width]`, in the order of `growth`.
    ///
    /// # Panics
    /// If `growth` is empty or in another order.
    pub fn extend(&self, growth: &[(Growth, &[u32])], cache: &mut TreeCache) -> Tensor<2> {
        let counts: Vec<(Growth, usize)> = growth.iter().map(|&(at, tokens)| (at, tokens.len())).collect();
        let tokens: Vec<u32> = growth.iter().flat_map(|(_, tokens)| tokens.iter().copied()).collect();
        let pass = cache.grow(&counts, &self.device());
        self.pass(&tokens, &pass, CacheAccess::Extend(&mut cache.layers))
    }

    /// Hidden states of the new tokens of a pass.
    fn pass(&self, tokens: &[u32], pass: &Pass, mut cache: CacheAccess<'_>) -> Tensor<2> {
        let device = self.device();
        let angles = angles(&pass.positions, &self.config, &device);
        let mut x = self.model.embed_tokens.weight.rows(row_index(tokens, &device));
        for block in &self.model.layers {
            x = block.forward(x, &angles, pass, cache.reborrow());
        }
        self.model.norm.forward(x)
    }
}
