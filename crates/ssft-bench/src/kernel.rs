//! The kernels that are measured: their names, inputs and outputs, and the bytes of both.

use crate::error::BenchError;
use std::fmt;
use std::str::FromStr;

/// Declares [`Kernel`]. A row: variant, name, operation, indices of the inputs whose gradients are computed.
macro_rules! kernels {
    ($($kernel:ident, $name:literal, $operation:ident, $gradients:expr;)+) => {
        /// An operation of `ssft_kernels`, forward only or together with gradients.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kernel {
            $(#[doc = concat!("`", $name, "`")] $kernel,)+
        }

        impl Kernel {
            /// All kernels, in the order of tables and files.
            pub const ALL: &'static [Self] = &[$(Self::$kernel),+];

            /// Name in tables, files and arguments: `rms_norm_gradients`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kernel => $name,)+ }
            }

            /// The operation, without its gradients.
            pub(crate) fn operation(self) -> Operation {
                match self { $(Self::$kernel => Operation::$operation,)+ }
            }

            /// Indices of the inputs whose gradients are computed.
            pub(crate) fn gradients(self) -> &'static [usize] {
                match self { $(Self::$kernel => &$gradients,)+ }
            }
        }
    };
}

kernels! {
    LinearNll, "linear_nll", LinearNll, [];
    LinearNllHiddenGradient, "linear_nll_hidden_gradient", LinearNll, [0];
    LinearNllWeightGradient, "linear_nll_weight_gradient", LinearNll, [1];
    LinearNllGradients, "linear_nll_gradients", LinearNll, [0, 1];
    Linear, "linear", Linear, [];
    LinearGradients, "linear_gradients", Linear, [0, 1];
    LinearOnto, "linear_onto", LinearOnto, [];
    LinearOntoGradients, "linear_onto_gradients", LinearOnto, [0, 1, 2];
    RmsNorm, "rms_norm", RmsNorm, [];
    RmsNormGradients, "rms_norm_gradients", RmsNorm, [0, 1];
    Rotary, "rotary", Rotary, [];
    RotaryGradients, "rotary_gradients", Rotary, [0];
    Swiglu, "swiglu", Swiglu, [];
    SwigluGradients, "swiglu_gradients", Swiglu, [0, 1];
    TreeAttention, "tree_attention", TreeAttention, [];
    TreeAttentionGradients, "tree_attention_gradients", TreeAttention, [0, 1, 2];
    Adamw, "adamw", Adamw, [];
    SumOfSquares, "sum_of_squares", SumOfSquares, [];
}

impl FromStr for Kernel {
    type Err = BenchError;

    fn from_str(name: &str) -> Result<Self, BenchError> {
        let found = Self::ALL.iter().copied().find(|kernel| kernel.name() == name);
        found.ok_or_else(|| BenchError::Name { what: "kernel", name: name.to_owned() })
    }
}

/// Sizes of a kernel's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Tokens.
    pub rows: usize,
    /// Numbers of a token; even.
    pub width: usize,
    /// Rows of the weight of `linear_nll`; 1 for other kernels.
    pub vocab: usize,
}

impl Shape {
    /// Bytes of the logits, `[rows, vocab]` in f32.
    pub fn logits_bytes(self) -> u64 {
        f32_bytes([self.rows, self.vocab])
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} x {}", self.rows, self.width, self.vocab)
    }
}

impl Kernel {
    /// True if the inputs include a weight `[vocab, width]`.
    pub fn has_head(self) -> bool {
        self.operation() == Operation::LinearNll
    }

    /// True if gradients are computed.
    pub fn has_gradients(self) -> bool {
        !self.gradients().is_empty()
    }

    /// Bytes of each input.
    pub fn input_bytes(self, shape: Shape) -> Vec<u64> {
        self.operation().inputs(shape).into_iter().map(f32_bytes).collect()
    }

    /// Name and bytes of the intermediate result that the reference stores whole and the kernel does not: the logits, or the
    /// attention scores of every query and key.
    pub fn stored_by_reference(self, shape: Shape) -> Option<(&'static str, u64)> {
        let Shape { rows, width, .. } = shape;
        match self.operation() {
            Operation::LinearNll => Some(("logits", shape.logits_bytes())),
            Operation::TreeAttention => {
                let heads = width / head_dim(width);
                Some(("scores", f32_bytes([rows, rows]) * heads as u64))
            }
            _ => None,
        }
    }

    /// Bytes of all results: outputs and gradients.
    pub fn result_bytes(self, shape: Shape) -> u64 {
        let (operation, inputs) = (self.operation(), self.operation().inputs(shape));
        let gradients = self.gradients().iter().map(|&index| inputs[index]);
        operation.outputs(shape).into_iter().chain(gradients).map(f32_bytes).sum()
    }
}

/// An operation, without its gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    LinearNll,
    Linear,
    LinearOnto,
    RmsNorm,
    Rotary,
    Swiglu,
    TreeAttention,
    Adamw,
    SumOfSquares,
}

impl Operation {
    /// Shapes of the f32 inputs.
    pub(crate) fn inputs(self, shape: Shape) -> Vec<[usize; 2]> {
        let Shape { rows, width, vocab } = shape;
        let (tokens, square) = ([rows, width], [width, width]);
        match self {
            Self::LinearNll => vec![tokens, [vocab, width]],
            Self::Linear => vec![tokens, square],
            Self::LinearOnto => vec![tokens, square, tokens],
            Self::RmsNorm => vec![tokens, [1, width]],
            Self::Rotary => vec![tokens, [rows, head_dim(width)]],
            Self::Swiglu => vec![tokens; 2],
            Self::TreeAttention => vec![tokens; 3],
            Self::Adamw => vec![tokens; 4],
            Self::SumOfSquares => vec![tokens],
        }
    }

    /// True if input `index` is a weight matrix.
    pub(crate) fn is_weight(self, index: usize) -> bool {
        index == 1 && matches!(self, Self::LinearNll | Self::Linear | Self::LinearOnto)
    }

    /// Shapes of the outputs.
    fn outputs(self, shape: Shape) -> Vec<[usize; 2]> {
        let Shape { rows, width, .. } = shape;
        match self {
            Self::LinearNll => vec![[rows, 1]],
            Self::SumOfSquares => vec![[1, 1]],
            Self::Adamw => vec![[rows, width]; 3],
            _ => vec![[rows, width]],
        }
    }
}

/// Largest size of an attention head.
const MOST_HEAD_DIM: usize = 32;

/// Size of an attention head: the largest even divisor of `width` up to 32.
pub(crate) fn head_dim(width: usize) -> usize {
    let mut even = (1..=MOST_HEAD_DIM / 2).rev().map(|half| 2 * half);
    even.find(|&size| width.is_multiple_of(size)).unwrap_or(width)
}

/// Bytes of an f32 matrix.
pub(crate) fn f32_bytes([rows, columns]: [usize; 2]) -> u64 {
    rows as u64 * columns as u64 * size_of::<f32>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for &kernel in Kernel::ALL {
            assert_eq!(kernel.name().parse::<Kernel>().expect("a kernel"), kernel);
        }
        let error = "nll".parse::<Kernel>().expect_err("no kernel");
        assert_eq!(error.to_string(), "unknown kernel \"nll\"");
    }

    #[test]
    fn results_by_hand() {
        let shape = Shape { rows: 17, width: 6, vocab: 5 };
        assert_eq!(Kernel::LinearNllGradients.result_bytes(shape), 4 * (17 + 17 * 6 + 5 * 6));
        assert_eq!(Kernel::RmsNormGradients.result_bytes(shape), 4 * (17 * 6 + 17 * 6 + 6));
        assert_eq!(Kernel::Adamw.result_bytes(shape), 4 * 3 * 17 * 6);
    }
}
