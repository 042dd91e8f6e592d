//! Losses of pairs: traces under forks, without gradient.
//!
//! `C[i, j] = -(1/l) * sum_{t=1..l} log p(r_{j,t} | x, g_i, r_{j,<t})`, `l = min(L, T_j)` (arXiv 2510.05132, section 3).
//! A question is one tree: its prompt is encoded once, what stands in front of a trace once a fork, and a branch holds
//! no more than the tokens that count.
//!
//! ```text
//! prompt ─┬─ <think1> ─┬─ trace 1 ..       the last token of <think1> predicts the first of every trace,
//!         │            └─ trace 2 ..       so that N rows give the first loss of all N x M pairs
//!         └─ <think2> ─┬─ trace 1 ..
//!                      └─ ..
//! ```

use crate::error::TrainError;
use crate::search::{Extension, PartialCosts};
use burn::tensor::Tensor;
use ssft_data::encode::EncodedQuestion;
use ssft_kernels::{Targets, linear_nll};
use ssft_model::Decoder;
use ssft_model::cache::{Growth, TreeCache};
use ssft_model::packing::PackedTrees;
use std::collections::HashMap;

/// Some questions, all pairs of which are known a bit further with every pass.
#[derive(Debug)]
pub struct Pairs<'a> {
    model: &'a Decoder,
    questions: &'a [&'a EncodedQuestion],
    /// What is known of each question.
    pub costs: Vec<PartialCosts>,
    cache: TreeCache,
    /// `[questions][forks]`: the run that a branch starts from.
    leads: Vec<Vec<usize>>,
    /// `[questions][forks * traces]`: the last run of a branch, once it has started. Each pass adds one that continues it:
    /// what a pass finds is put behind what is there, and nothing moves.
    branches: Vec<Vec<Option<usize>>>,
    /// Losses that are still on the device.
    unread: Vec<Losses>,
    /// Tokens that went through the model, prompts apart.
    computed: usize,
}

/// Losses that a pass found, run by run.
#[derive(Debug)]
struct Losses {
    nll: Tensor<1>,
    of: Vec<Owners>,
}

/// Whose losses those of a run are: of each of its tokens in turn, one for each pair.
#[derive(Debug)]
struct Owners {
    tokens: usize,
    /// (question, fork, trace); several where traces begin alike.
    pairs: Vec<(usize, usize, usize)>,
}

/// Pairs laid out for one pass.
struct Packed {
    packed: PackedTrees,
    /// Whose losses the targets are.
    of: Vec<Owners>,
    /// Tokens, prompts apart.
    computed: usize,
}

impl Packed {
    /// Every trace under every fork, up to its token `most`.
    fn new(questions: &[&EncodedQuestion], leads: &[Vec<u32>], most: usize) -> Self {
        let (mut packed, mut of, mut computed) = (PackedTrees::default(), Vec::new(), 0);
        for (index, question) in questions.iter().enumerate() {
            let prompt = packed.push(None, &question.prompt);
            for (fork, lead) in leads.iter().enumerate() {
                let from = packed.push(Some(prompt), lead);
                computed += lead.len();
                question.traces.iter().for_each(|trace| packed.expect_next(from, trace.tokens[0]));
                let pairs = (0..question.traces.len()).map(|trace| (index, fork, trace)).collect();
                of.push(Owners { tokens: 1, pairs });
                for (trace, encoded) in question.traces.iter().enumerate() {
                    let length = encoded.tokens.len().min(most);
                    if length > 1 {
                        let row = packed.tokens.len();
                        packed.push(Some(from), &encoded.tokens[..length - 1]);
                        packed.expect(row, &encoded.tokens[1..length]);
                        of.push(Owners { tokens: length - 1, pairs: vec![(index, fork, trace)] });
                        computed += length - 1;
                    }
                }
            }
        }
        Self { packed, of, computed }
    }
}

impl<'a> Pairs<'a> {
    /// Encodes prompts and forks, which gives the first loss of every pair.
    ///
    /// `leads[i]` is what stands between prompt and trace for fork i: its forking token, and what follows it by rule.
    pub fn start(
        model: &'a Decoder,
        questions: &'a [&'a EncodedQuestion],
        leads: &[Vec<u32>],
        match_tokens: usize,
    ) -> Self {
        // No further than what the forks themselves predict.
        let Packed { packed, of, computed } = Packed::new(questions, leads, 1);
        let (hidden, cache) = model.prefill(&packed);
        let nll = linear_nll(hidden, model.head(), &Targets::new(&packed.target_rows, &packed.targets));
        // A question has one run for its prompt and one for each fork.
        let runs = 1 + leads.len();
        let lead_runs = |question: usize| (question * runs + 1..(question + 1) * runs).collect();
        Self {
            cache,
            leads: (0..questions.len()).map(lead_runs).collect(),
            unread: vec![Losses { nll, of }],
            computed,
            ..Self::empty(model, questions, leads.len(), match_tokens)
        }
    }

    /// Computes the whole matrix of every question in one pass, which keeps nothing but losses.
    pub fn whole(
        model: &'a Decoder,
        questions: &'a [&'a EncodedQuestion],
        leads: &[Vec<u32>],
        match_tokens: usize,
    ) -> Self {
        let Packed { packed, of, computed } = Packed::new(questions, leads, match_tokens);
        Self {
            unread: vec![Losses { nll: target_nll(model, &packed), of }],
            computed,
            ..Self::empty(model, questions, leads.len(), match_tokens)
        }
    }

    /// Nothing computed yet, nothing to go on from.
    fn empty(
        model: &'a Decoder,
        questions: &'a [&'a EncodedQuestion],
        forks: usize,
        match_tokens: usize,
    ) -> Self {
        let costs = |question: &&EncodedQuestion| {
            let traces: Vec<&[u32]> = question.traces.iter().map(|trace| trace.tokens.as_slice()).collect();
            PartialCosts::new(forks, &traces, match_tokens)
        };
        Self {
            model,
            questions,
            costs: questions.iter().map(costs).collect(),
            cache: TreeCache::default(),
            leads: Vec::new(),
            branches: questions.iter().map(|question| vec![None; forks * question.traces.len()]).collect(),
            unread: Vec::new(),
            computed: 0,
        }
    }

    /// A question, by its place.
    pub fn question(&self, index: usize) -> &'a EncodedQuestion {
        self.questions[index]
    }

    /// Tokens that went through the model so far, prompts apart.
    pub fn computed(&self) -> usize {
        self.computed
    }

    /// Lets go of keys and values; nothing can be extended any more.
    pub fn forget_past(&mut self) {
        self.cache = TreeCache::default();
    }

    /// Computes more of some branches, given as (question, branch), and keeps what they need to go on from there.
    pub fn extend(&mut self, wanted: &[(usize, Extension)]) {
        let mut cache = std::mem::take(&mut self.cache);
        self.pass(wanted, &mut cache, true);
        self.cache = cache;
    }

    /// Computes the rest of some branches and keeps nothing but the losses: memory does not grow with their number.
    pub fn finish(&mut self, wanted: &[(usize, Extension)]) {
        let mut cache = self.cache.clone();
        self.pass(wanted, &mut cache, false);
    }

    fn pass(&mut self, wanted: &[(usize, Extension)], cache: &mut TreeCache, keep: bool) {
        let mut growth: Vec<(Growth, &[u32])> = Vec::new();
        let mut runs: HashMap<(usize, &[u32]), usize> = HashMap::new();
        let (mut of, mut next) = (Vec::<Owners>::new(), Vec::<Vec<&[u32]>>::new());
        for &(question, branch) in wanted {
            let Extension { fork, trace, known, wanted } = branch;
            let traces = &self.questions[question].traces;
            let tokens = &traces[trace].tokens;
            let last_run = &mut self.branches[question][fork * traces.len() + trace];
            let from = last_run.unwrap_or(self.leads[question][fork]);
            let fed = &tokens[known - 1..wanted - 1];
            // The same tokens from the same place are one run: traces that begin alike, up to where they part.
            let at = *runs.entry((from, fed)).or_insert_with(|| {
                growth.push((Growth::From(from), fed));
                of.push(Owners { tokens: wanted - known, pairs: Vec::new() });
                next.push(Vec::new());
                growth.len() - 1
            });
            of[at].pairs.push((question, fork, trace));
            next[at].push(&tokens[known..wanted]);
            if keep {
                *last_run = Some(cache.runs() + at);
            }
        }
        let (mut rows, mut targets, mut row) = (Vec::new(), Vec::new(), 0);
        for (owners, next) in of.iter().zip(&next) {
            for token in 0..owners.tokens {
                rows.extend(next.iter().map(|_| row));
                targets.extend(next.iter().map(|tokens| tokens[token] as i32));
                row += 1;
            }
        }
        self.computed += row as usize;
        let hidden = self.model.extend(&growth, cache);
        let nll = linear_nll(hidden, self.model.head(), &Targets::new(&rows, &targets));
        self.unread.push(Losses { nll, of });
    }

    /// Reads back all losses computed so far, in one go.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails.
    pub async fn read(&mut self, step: usize) -> Result<(), TrainError> {
        read_all(std::slice::from_mut(self), step).await
    }

    fn take(&mut self, values: &mut impl Iterator<Item = f32>) {
        for Owners { tokens, pairs } in self.unread.drain(..).flat_map(|losses| losses.of) {
            let ours: Vec<f32> = values.by_ref().take(tokens * pairs.len()).collect();
            for (at, &(question, fork, trace)) in pairs.iter().enumerate() {
                let losses = ours[at..].iter().step_by(pairs.len()).copied();
                self.costs[question].add(fork, trace, losses);
            }
        }
    }
}

/// Reads back all losses of several groups of questions computed so far, in one go.
///
/// # Errors
/// [`TrainError::Device`] if the readback fails.
pub async fn read_all(groups: &mut [Pairs<'_>], step: usize) -> Result<(), TrainError> {
    let unread = groups.iter().flat_map(|pairs| &pairs.unread).map(|losses| losses.nll.clone());
    let mut values = read(Tensor::cat(unread.collect(), 0), step).await?.into_iter();
    groups.iter_mut().for_each(|pairs| pairs.take(&mut values));
    Ok(())
}

/// Numbers of a tensor, on the host.
///
/// # Errors
/// [`TrainError::Device`] if the readback fails.
pub(crate) async fn read(tensor: Tensor<1>, step: usize) -> Result<Vec<f32>, TrainError> {
    let failed = |what: String| TrainError::Device { step, what };
    let data = tensor.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    data.try_to_vec::<f32>().map_err(|error| failed(error.to_string()))
}

/// Negative log-likelihood of every target of a packed batch, in nats.
///
/// # Shapes
/// Returns `[targets]`, in the order of `packed.targets`.
pub(crate) fn target_nll(model: &Decoder, packed: &PackedTrees) -> Tensor<1> {
    let targets = Targets::new(&packed.target_rows, &packed.targets);
    linear_nll(model.forward(packed), model.head(), &targets)
}
