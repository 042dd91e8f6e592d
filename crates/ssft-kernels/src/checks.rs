//! Checks of shapes and types, shared by the operations and their references. Each panics with both shapes.

use crate::forest::Forest;
use crate::targets::Targets;
use burn::tensor::{DType, Tensor};

pub fn check_linear_nll(hidden: &Tensor<2>, weight: &Tensor<2>, targets: &Targets) {
    let ([rows, width], [vocab, weight_width]) = (hidden.dims(), weight.dims());
    assert!(
        width == weight_width && width > 0,
        "linear_nll: hidden [{rows}, {width}] against weight [{vocab}, {weight_width}]"
    );
    check_f32("linear_nll", [hidden.dtype(), weight.dtype()]);
    assert!(!targets.is_empty(), "linear_nll: no target");
    targets.check(rows, vocab);
}

pub fn check_linear(input: &Tensor<2>, weight: &Tensor<2>) {
    let ([rows, width], [out, weight_width]) = (input.dims(), weight.dims());
    assert!(width == weight_width, "linear: input [{rows}, {width}] against weight [{out}, {weight_width}]");
    check_f32("linear", [input.dtype(), weight.dtype()]);
}

pub fn check_residual(input: &Tensor<2>, weight: &Tensor<2>, residual: &Tensor<2>) {
    let (dims, fits) = (residual.dims(), [input.dims()[0], weight.dims()[0]]);
    assert_eq!(dims, fits, "linear_onto: residual {dims:?} against a result of {fits:?}");
    check_f32("linear_onto", [residual.dtype()]);
}

pub fn check_rms_norm(input: &Tensor<2>, weight: &Tensor<1>) {
    let ([rows, width], [weight_width]) = (input.dims(), weight.dims());
    assert!(width == weight_width, "rms_norm: input [{rows}, {width}] against weight [{weight_width}]");
    check_f32("rms_norm", [input.dtype(), weight.dtype()]);
}

pub fn check_rotary(input: &Tensor<3>, angles: &Tensor<2>) {
    let ([tokens, heads, head_dim], angle_dims) = (input.dims(), angles.dims());
    assert!(
        angle_dims == [tokens, head_dim] && head_dim.is_multiple_of(2),
        "rotary: input [{tokens}, {heads}, {head_dim}] against angles {angle_dims:?}"
    );
    check_f32("rotary", [input.dtype(), angles.dtype()]);
}

pub fn check_swiglu(gate: &Tensor<2>, up: &Tensor<2>) {
    let (dims, up_dims) = (gate.dims(), up.dims());
    assert_eq!(dims, up_dims, "swiglu: gate {dims:?} against up {up_dims:?}");
    check_f32("swiglu", [gate.dtype(), up.dtype()]);
}

pub fn check_tree_attention(query: &Tensor<3>, key: &Tensor<3>, value: &Tensor<3>, forest: &Forest) {
    let ([queries, heads, head_dim], [keys, kv_heads, key_dim]) = (query.dims(), key.dims());
    assert!(
        queries == forest.queries() && keys >= forest.keys() && value.dims() == key.dims(),
        "tree_attention: query {:?}, key {:?} and value {:?} against {} queries and {} keys",
        query.dims(),
        key.dims(),
        value.dims(),
        forest.queries(),
        forest.keys()
    );
    assert!(
        head_dim == key_dim && heads.is_multiple_of(kv_heads),
        "tree_attention: {heads} heads of {head_dim} against {kv_heads} of {key_dim}"
    );
    check_f32("tree_attention", [query.dtype(), key.dtype(), value.dtype()]);
}

fn check_f32<const N: usize>(operation: &str, dtypes: [DType; N]) {
    assert!(dtypes.iter().all(|&dtype| dtype == DType::F32), "{operation}: {dtypes:?} have to be f32");
}
