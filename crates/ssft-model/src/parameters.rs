//! Parameters by their Hugging Face names: the fields on the way to each, joined by points.

use crate::Decoder;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// What looks at parameters one by one.
pub trait Visit {
    /// Looks at one.
    fn visit<const D: usize>(&mut self, name: String, parameter: &Param<Tensor<D>>);
}

/// What replaces parameters one by one.
pub trait Replace {
    /// The new one, with the old one's id.
    fn replace<const D: usize>(&mut self, name: String, parameter: Param<Tensor<D>>) -> Param<Tensor<D>>;
}

/// Shows all parameters of `model` to `visitor`, in the order of its fields.
pub fn visit(model: &Decoder, visitor: &mut impl Visit) {
    model.visit(&mut Named { path: Vec::new(), inner: visitor });
}

/// The model of what `mapper` makes of the parameters of `model`.
pub fn replace(model: Decoder, mapper: &mut impl Replace) -> Decoder {
    model.map(&mut Named { path: Vec::new(), inner: mapper })
}

/// The name and the shape of every parameter; none of them is allocated for it.
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

/// Follows burn's walk through a module's fields.
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
