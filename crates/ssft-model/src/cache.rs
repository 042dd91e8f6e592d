//! What forked decoding remembers: the prompt's keys and values once, and each fork's own.

use burn::tensor::Tensor;

/// Keys and values of one layer, `[questions, branches, kv_heads, length, head_dim]` each.
#[derive(Debug, Clone)]
pub struct KeyValue {
    /// Rotated keys.
    pub key: Tensor<5>,
    /// Values.
    pub value: Tensor<5>,
}

impl KeyValue {
    /// `self` followed by `next` along the length. `self` may have one branch where `next` has many:
    /// it is then the common past of all of them.
    pub fn followed_by(self, next: Self) -> Self {
        let join = |past: Tensor<5>, next: Tensor<5>| {
            let [questions, branches, heads, _, width] = next.dims();
            let [_, _, _, length, _] = past.dims();
            Tensor::cat(vec![past.expand([questions, branches, heads, length, width]), next], 3)
        };
        Self { key: join(self.key, next.key), value: join(self.value, next.value) }
    }
}

/// One layer's part of a [`ForkCache`].
#[derive(Debug, Clone)]
pub struct LayerCache {
    /// One branch: the prompt, shared by all forks.
    pub prompt: KeyValue,
    /// What the forks have said so far, each its own.
    pub own: Option<KeyValue>,
}

/// The past of a batch of questions whose forks grow in step.
#[derive(Debug, Clone)]
pub struct ForkCache {
    /// One entry a layer; empty before the prompts are prefilled.
    pub layers: Vec<LayerCache>,
    /// `[questions]`: tokens of each prompt.
    pub prompt_lengths: Vec<usize>,
    /// Tokens that each fork has in the cache.
    pub own_length: usize,
}

impl ForkCache {
    /// Bytes held, in f32.
    pub fn bytes(&self) -> usize {
        let size = |kv: &KeyValue| 4 * (kv.key.shape().num_elements() + kv.value.shape().num_elements());
        self.layers.iter().map(|layer| size(&layer.prompt) + layer.own.as_ref().map_or(0, size)).sum()
    }
}
