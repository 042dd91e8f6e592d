//! The formulas of `linear_nll` in f64, one number at a time.

/// A linear head, with targets for some of the rows and the weight of each target in the loss.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub width: usize,
    /// `[rows, width]`.
    pub hidden: Vec<f32>,
    /// `[vocab, width]`.
    pub weight: Vec<f32>,
    /// Rows with a target.
    pub rows: Vec<i32>,
    /// The tokens that they predict.
    pub tokens: Vec<i32>,
    /// Weight of each target in `loss = sum_i upstream[i] nll[i]`.
    pub upstream: Vec<f32>,
}

/// Results and gradients of a [`Case`].
#[derive(Debug)]
pub struct Exact {
    /// `[targets]`.
    pub nll: Vec<f64>,
    /// `[rows, width]`.
    pub hidden_gradient: Vec<f64>,
    /// `[vocab, width]`.
    pub weight_gradient: Vec<f64>,
    /// Largest sum of `|h_k w_k|` over all logits. The rounding error of a dot product is relative to it.
    pub largest_dot: f64,
}

impl Case {
    fn hidden_row(&self, target: usize) -> std::ops::Range<usize> {
        let start = self.rows[target] as usize * self.width;
        start..start + self.width
    }

    pub fn exact(&self) -> Exact {
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
        let (hidden, weight) = (wide(&self.hidden), wide(&self.weight));
        let mut exact = Exact {
            nll: Vec::new(),
            hidden_gradient: vec![0.0; hidden.len()],
            weight_gradient: vec![0.0; weight.len()],
            largest_dot: 0.0,
        };
        for (target, &token) in self.tokens.iter().enumerate() {
            let at = self.hidden_row(target);
            let row = &hidden[at.clone()];
            let mut logits = Vec::new();
            for column in weight.chunks(self.width) {
                let products = row.iter().zip(column).map(|(a, b)| a * b);
                exact.largest_dot = exact.largest_dot.max(products.clone().map(f64::abs).sum());
                logits.push(products.sum::<f64>());
            }
            let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logits.iter().map(|logit| (logit - max).exp()).sum();
            exact.nll.push(max + sum.ln() - logits[token as usize]);
            for (v, logit) in logits.iter().enumerate() {
                let hit = f64::from(u8::from(v == token as usize));
                let p = f64::from(self.upstream[target]) * ((logit - max).exp() / sum - hit);
                for k in 0..self.width {
                    exact.hidden_gradient[at.start + k] += p * weight[v * self.width + k];
                    exact.weight_gradient[v * self.width + k] += p * row[k];
                }
            }
        }
        exact
    }
}
