//! Packed trees on a device: which cell of attention's rectangles each flat token fills, and who sees whom.

use burn::tensor::{Device, Int, Tensor, TensorData};
use ssft_data::pack::{Grid, PackedTrees};

/// Added to the score of a pair that must not see each other. Finite, so that a row of padding, which
/// sees nobody, yields numbers that are thrown away rather than NaN that would spread.
const HIDDEN: f32 = -1e30;

/// A [`Grid`] on a device.
#[derive(Debug, Clone)]
pub struct Rectangle {
    /// Questions, branches a question, length.
    pub dims: [usize; 3],
    /// First flat token and number of flat tokens.
    pub span: (usize, usize),
    /// Token of each cell and cell of each token; `None` where the grid is dense and nothing moves.
    moves: Option<(Tensor<1, Int>, Tensor<1, Int>)>,
    /// Added to scores, broadcastable to `[questions, branches, kv_heads, group * length, keys]`.
    pub bias: Tensor<5>,
}

impl Rectangle {
    fn new(grid: &Grid, bias: Tensor<5>, device: &Device) -> Self {
        let index =
            |values: &[i32]| Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device);
        Self {
            dims: [grid.questions, grid.branches, grid.length],
            span: (grid.start, grid.tokens),
            moves: (!grid.is_dense()).then(|| (index(&grid.gather), index(&grid.scatter))),
            bias,
        }
    }

    /// Flat tokens to cells.
    ///
    /// # Shapes
    /// `flat [all tokens, heads, head_dim]`; returns `[questions, branches, length, heads, head_dim]`.
    pub fn lay_out(&self, flat: Tensor<3>) -> Tensor<5> {
        let [_, heads, width] = flat.dims();
        let [questions, branches, length] = self.dims;
        let ours = flat.narrow(0, self.span.0, self.span.1);
        let cells = match &self.moves {
            Some((gather, _)) => ours.select(0, gather.clone()),
            None => ours,
        };
        cells.reshape([questions, branches, length, heads, width])
    }

    /// Cells back to flat tokens: the inverse of [`Rectangle::lay_out`] for the tokens of this rectangle.
    ///
    /// # Shapes
    /// `cells [questions, branches, length, heads * head_dim]`; returns `[tokens, heads * head_dim]`.
    pub fn flatten(&self, cells: Tensor<4>) -> Tensor<2> {
        let [questions, branches, length, width] = cells.dims();
        let flat = cells.reshape([questions * branches * length, width]);
        match &self.moves {
            Some((_, scatter)) => flat.select(0, scatter.clone()),
            None => flat,
        }
    }
}

/// Both rectangles of a forward pass over whole trees.
#[derive(Debug, Clone)]
pub struct TreeLayout {
    /// The prompts, one branch each.
    pub prompts: Rectangle,
    /// The branches, if there are any; their keys are the prompt's followed by their own.
    pub branches: Option<Rectangle>,
}

impl TreeLayout {
    /// `group` is the number of query heads that share a key head.
    pub fn new(packed: &PackedTrees, group: usize, device: &Device) -> Self {
        let (prompts, branches) = (&packed.prompts, &packed.branches);
        let prompt_bias = causal(prompts.length, 0, group, device);
        Self {
            prompts: Rectangle::new(prompts, prompt_bias, device),
            branches: (branches.tokens > 0).then(|| {
                let bias = branch_bias(&prompts.lengths, prompts.length, branches.length, group, device);
                Rectangle::new(branches, bias, device)
            }),
        }
    }
}

/// Query `s` of `length` sees the `past` keys before it and its own first `s + 1`:
/// `[1, 1, 1, group * length, past + length]`.
pub fn causal(length: usize, past: usize, group: usize, device: &Device) -> Tensor<5> {
    let row = |s: usize| (0..past + length).map(move |k| if k <= past + s { 0.0 } else { HIDDEN });
    let values: Vec<f32> = (0..group).flat_map(|_| (0..length).flat_map(row)).collect();
    Tensor::from_data(TensorData::new(values, [1, 1, 1, group * length, past + length]), device)
}

/// Every query sees the first `lengths[q]` of `longest` keys: `[questions, 1, 1, 1, longest]`.
pub fn padding_bias(lengths: &[usize], longest: usize, device: &Device) -> Tensor<5> {
    let row = |&length: &usize| (0..longest).map(move |k| if k < length { 0.0 } else { HIDDEN });
    let values: Vec<f32> = lengths.iter().flat_map(row).collect();
    Tensor::from_data(TensorData::new(values, [lengths.len(), 1, 1, 1, longest]), device)
}

/// Padding on the prompt's keys, causality on the branch's own: `[questions, 1, 1, group * length, longest + length]`.
fn branch_bias(prompts: &[usize], longest: usize, length: usize, group: usize, device: &Device) -> Tensor<5> {
    let rows = group * length;
    let prompt = padding_bias(prompts, longest, device).expand([prompts.len(), 1, 1, rows, longest]);
    let own = causal(length, 0, group, device).expand([prompts.len(), 1, 1, rows, length]);
    Tensor::cat(vec![prompt, own], 4)
}
