//! Parameters by their Hugging Face names, for example `model.layers.0.self_attn.q_proj.weight`.
//!
//! A name is the path of fields from [`Decoder`] to the parameter, joined by points.

use crate::decoder::Decoder;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Name of the embedding, `[vocab, width]`.
pub const EMBEDDING: &str = "model.embed_tokens.weight";

/// Name of the head, `[vocab, width]`; a model with tied embeddings has none.
pub const HEAD: &str = "lm_head.weight";

/// Receives every parameter of a model.
pub trait Visit {
    /// Called once for each parameter.
    fn visit<const D: usize>(&mut self, name: String, parameter: &Param<Tensor<D>>);
}

/// Replaces every parameter of a model.
pub trait Replace {
    /// Called once for each parameter. The result has the same id.
    fn replace<const D: usize>(&mut self, name: String, parameter: Param<Tensor<D>>) -> Param<Tensor<D>>;
}

/// Calls `visitor` for all parameters of `model`, in the order of its fields.
pub fn visit(model: &Decoder, visitor: &mut impl Visit) {
    model.visit(&mut Named { path: Vec::new(), inner: visitor });
}

/// The model whose parameters are those that `mapper` returns for the parameters of `model`.
pub fn replace(model: Decoder, mapper: &mut impl Replace) -> Decoder {
    model.map(&mut Named { path: Vec::new(), inner: mapper })
}

/// Name and shape of every parameter. A parameter without values yet is not allocated.
pub fn shapes(model: &Decoder) -> Vec<(String, Vec<usize>)> {
    struct Shapes(Vec<(String, Vec<usize>)>);
    impl Visit for Shapes {
        fn visit<const D: usize>(&mut self, name: String, parameter: &Param<Tensor<D>>) {
            self.0.push((name, parameter.lazy_shape().to_vec()));
        }
    }
    let mut shapes = Shapes(Vec::new());
    visit(model, &mut shapes);
    shapes.0
}

/// Follows burn's traversal of a module and records the path of fields.
struct Named<'a, T> {
    path: Vec<String>,
    inner: &'a mut T,
}

impl<T: Visit> ModuleVisitor for Named<'_, T> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.inner.visit(self.path.join("."), parameter);
    }
}

impl<T: Replace> ModuleMapper for Named<'_, T> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.inner.replace(self.path.join("."), parameter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DecoderConfig, Preset};
    use crate::family::Family;
    use burn::tensor::Device;

    #[test]
    fn names_are_those_of_hugging_face() {
        let shape = DecoderConfig {
            family: Family::Qwen2,
            num_hidden_layers: 1,
            tie_word_embeddings: false,
            ..DecoderConfig::preset(Preset::Toy, 9)
        };
        let names: Vec<String> =
            shapes(&Decoder::init(&shape, 1, &Device::flex())).into_iter().map(|(name, _)| name).collect();
        let layer = |name: &str| format!("model.layers.0.{name}");
        let expected = [
            EMBEDDING.to_owned(),
            layer("self_attn.q_proj.weight"),
            layer("self_attn.q_proj.bias"),
            layer("self_attn.k_proj.weight"),
            layer("self_attn.k_proj.bias"),
            layer("self_attn.v_proj.weight"),
            layer("self_attn.v_proj.bias"),
            layer("self_attn.o_proj.weight"),
            layer("mlp.gate_proj.weight"),
            layer("mlp.up_proj.weight"),
            layer("mlp.down_proj.weight"),
            layer("input_layernorm.weight"),
            layer("post_attention_layernorm.weight"),
            "model.norm.weight".to_owned(),
            HEAD.to_owned(),
        ];
        assert_eq!(names, expected);
    }
}
