//! 1. Pairwise losses, without gradient: every trace under every fork.
//!
//! `C[i, j] = -(1/l) * sum_{t=1..l} log p(r_{j,t} | x, g_i, r_{j,<t})`, `l = min(L, T_j)` (arXiv 2510.05132, section 3).
//!
//! # Example: 2 forks, 2 traces of 3 tokens
//!
//! A question with prompt `x`, forks `g1`, `g2` and traces `a b c`, `d e f` is one tree. Each run of tokens below is
//! computed once; `->` names the tokens that it predicts:
//!
//! ```text
//! x ─┬─ g1        -> a and d    first losses of (1, 1) and (1, 2)
//!    │  ├─ a b    -> b c        the other losses of (1, 1)
//!    │  └─ d e    -> e f        the other losses of (1, 2)
//!    └─ g2        -> a and d    first losses of (2, 1) and (2, 2)
//!       ├─ a b    -> b c
//!       └─ d e    -> e f
//! ```
//!
//! That is the prompt and 2 + 4 x 2 = 10 tokens, where four separate rows would take 4 prompts and 4 x 3 = 12 tokens. If the
//! losses of (1, 1) are 0.2, 0.1 and 0.3 nats, `C[1, 1]` is 0.2. A pass may also compute only a part of the tree:
//! [`Pairs::start`] computes `x`, `g1` and `g2`, which gives 4 of the 12 losses; [`Pairs::extend`] continues branches from
//! the key/value cache. Traces that begin alike (`a b c` and `a b d`) share the run `a b` in such a pass.

use crate::bounds::CostBounds;
use crate::cost::CostTokens;
use crate::error::TrainError;
use crate::extension::Extension;
use crate::nll::{read_back, target_nll};
use burn::tensor::Tensor;
use ssft_data::encode::EncodedQuestion;
use ssft_kernels::{Targets, linear_nll};
use ssft_model::Decoder;
use ssft_model::cache::{Growth, TreeCache};
use ssft_model::packing::{self, PackedTrees};
use std::collections::HashMap;

/// The pairwise losses of a group of questions, in part on the device; every pass adds some.
#[derive(Debug)]
pub struct Pairs<'a> {
    model: &'a Decoder,
    questions: &'a [&'a EncodedQuestion],
    /// `[questions]`: the losses that were read back.
    pub bounds: Vec<CostBounds>,
    cache: TreeCache,
    /// `[questions][forks]`: the cached run of the lead of each fork, from which its branches start.
    lead_runs: Vec<Vec<usize>>,
    /// `[questions][forks * traces]`: the last cached run of a branch; `None` before its first extension. Every extension adds
    /// a run that continues it.
    branches: Vec<Vec<Option<usize>>>,
    /// Losses that were not read back yet, pass by pass.
    unread: Vec<Losses>,
    /// Tokens computed so far, prompts excluded.
    computed: usize,
}

/// Losses of a pass, on the device.
#[derive(Debug)]
struct Losses {
    /// `[losses]`, run by run; within a run token by token, within a token pair by pair.
    nll: Tensor<1>,
    runs: Vec<PairsOfRun>,
}

/// The pairs that the losses of a run belong to.
#[derive(Debug)]
struct PairsOfRun {
    /// Tokens of the run that predict.
    tokens: usize,
    /// (question, fork, trace); several if traces share the run. Each of the tokens has one loss per pair.
    pairs: Vec<(usize, usize, usize)>,
}

/// What becomes of the keys and values of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeysAndValues {
    /// They stay in the cache, so that a later pass can continue the branches.
    Keep,
    /// They are dropped with the pass: memory does not grow with the number of branches.
    Drop,
}

impl<'a> Pairs<'a> {
    /// Computes prompts and leads, which gives the first loss of every pair.
    ///
    /// `leads[i]` stands between prompt and trace for fork i: its forking token and the fixed tokens after it.
    pub fn start(
        model: &'a Decoder,
        questions: &'a [&'a EncodedQuestion],
        leads: &[Vec<u32>],
        match_tokens: usize,
    ) -> Self {
        let TreePass { packed, runs, computed } = TreePass::new(questions, leads, 1);
        let (hidden, cache) = model.prefill(&packed);
        let nll = linear_nll(hidden, model.head(), &packed.targets());
        // Runs of a question in this pass: its prompt, then one per fork.
        let runs_of_question = 1 + leads.len();
        let lead_runs =
            |question: usize| (question * runs_of_question + 1..(question + 1) * runs_of_question).collect();
        Self {
            cache,
            lead_runs: (0..questions.len()).map(lead_runs).collect(),
            unread: vec![Losses { nll, runs }],
            computed,
            ..Self::empty(model, questions, leads.len(), match_tokens)
        }
    }

    /// Computes all losses of every question in one pass; nothing is cached.
    pub fn whole(
        model: &'a Decoder,
        questions: &'a [&'a EncodedQuestion],
        leads: &[Vec<u32>],
        match_tokens: usize,
    ) -> Self {
        let TreePass { packed, runs, computed } = TreePass::new(questions, leads, match_tokens);
        Self {
            unread: vec![Losses { nll: target_nll(model, &packed), runs }],
            computed,
            ..Self::empty(model, questions, leads.len(), match_tokens)
        }
    }

    fn empty(
        model: &'a Decoder,
        questions: &'a [&'a EncodedQuestion],
        forks: usize,
        match_tokens: usize,
    ) -> Self {
        let bounds = |question: &&EncodedQuestion| {
            let traces: Vec<&[u32]> = question.traces.iter().map(|trace| trace.tokens.as_slice()).collect();
            CostBounds::new(forks, &traces, match_tokens)
        };
        Self {
            model,
            questions,
            bounds: questions.iter().map(bounds).collect(),
            cache: TreeCache::default(),
            lead_runs: Vec::new(),
            branches: questions.iter().map(|question| vec![None; forks * question.traces.len()]).collect(),
            unread: Vec::new(),
            computed: 0,
        }
    }

    /// Question `index` of the group.
    pub fn question(&self, index: usize) -> &'a EncodedQuestion {
        self.questions[index]
    }

    /// Tokens of the whole matrices of the group, and tokens computed so far.
    pub fn cost_tokens(&self) -> CostTokens {
        CostTokens { whole: self.bounds.iter().map(CostBounds::tokens).sum(), computed: self.computed }
    }

    /// Drops the key/value cache; no branch can be extended afterwards.
    pub fn drop_cache(&mut self) {
        self.cache = TreeCache::default();
    }

    /// Extends branches, given as (question, extension), in one pass, and caches their keys and values.
    pub fn extend(&mut self, extensions: &[(usize, Extension)]) {
        let mut cache = std::mem::take(&mut self.cache);
        self.pass(extensions, &mut cache, KeysAndValues::Keep);
        self.cache = cache;
    }

    /// Extends branches to their ends in one pass, and leaves the cache as it is.
    pub fn finish(&mut self, extensions: &[(usize, Extension)]) {
        let mut cache = self.cache.clone();
        self.pass(extensions, &mut cache, KeysAndValues::Drop);
    }

    fn pass(
        &mut self,
        extensions: &[(usize, Extension)],
        cache: &mut TreeCache,
        keys_and_values: KeysAndValues,
    ) {
        let pass = ExtensionPass::new(self, extensions);
        if keys_and_values == KeysAndValues::Keep {
            for (&(question, extension), run) in extensions.iter().zip(&pass.run_of) {
                let traces = self.questions[question].traces.len();
                self.branches[question][extension.fork * traces + extension.trace] = Some(cache.runs() + run);
            }
        }
        self.computed += pass.tokens();
        let hidden = self.model.extend(&pass.growth, cache);
        let nll = linear_nll(hidden, self.model.head(), &pass.targets());
        self.unread.push(Losses { nll, runs: pass.runs });
    }

    /// Reads all unread losses back, in one readback.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails.
    pub async fn read(&mut self, step: usize) -> Result<(), TrainError> {
        read_all(std::slice::from_mut(self), step).await
    }

    /// Takes the values of the unread losses, in the order of the passes.
    fn take(&mut self, values: &mut impl Iterator<Item = f32>) {
        for PairsOfRun { tokens, pairs } in self.unread.drain(..).flat_map(|losses| losses.runs) {
            let of_run: Vec<f32> = values.by_ref().take(tokens * pairs.len()).collect();
            for (at, &(question, fork, trace)) in pairs.iter().enumerate() {
                let losses = of_run[at..].iter().step_by(pairs.len()).copied();
                self.bounds[question].add(fork, trace, losses);
            }
        }
    }
}

/// Reads all unread losses of several groups back, in one readback.
///
/// # Errors
/// [`TrainError::Device`] if the readback fails.
pub async fn read_all(groups: &mut [Pairs<'_>], step: usize) -> Result<(), TrainError> {
    let unread = groups.iter().flat_map(|pairs| &pairs.unread).map(|losses| losses.nll.clone());
    let mut values = read_back(Tensor::cat(unread.collect(), 0), step).await?.into_iter();
    groups.iter_mut().for_each(|pairs| pairs.take(&mut values));
    Ok(())
}

/// Prompts, leads and at most `most` tokens of each trace, packed for one pass.
struct TreePass {
    packed: PackedTrees,
    /// In the order of the targets.
    runs: Vec<PairsOfRun>,
    /// Tokens, prompts excluded.
    computed: usize,
}

impl TreePass {
    /// Every trace under every fork, up to its token `most`.
    fn new(questions: &[&EncodedQuestion], leads: &[Vec<u32>], most: usize) -> Self {
        let (mut packed, mut runs, mut computed) = (PackedTrees::default(), Vec::new(), 0);
        for (index, question) in questions.iter().enumerate() {
            let prompt = packed.push(None, &question.prompt);
            for (fork, lead) in leads.iter().enumerate() {
                let from = packed.push(Some(prompt), lead);
                computed += lead.len();
                question.traces.iter().for_each(|trace| packed.add_next_target(from, trace.tokens[0]));
                let pairs = (0..question.traces.len()).map(|trace| (index, fork, trace)).collect();
                runs.push(PairsOfRun { tokens: 1, pairs });
                for (trace, encoded) in question.traces.iter().enumerate() {
                    let length = encoded.tokens.len().min(most);
                    if length > 1 {
                        let row = packed.tokens.len();
                        packed.push(Some(from), &encoded.tokens[..length - 1]);
                        packed.add_targets(row, &encoded.tokens[1..length]);
                        runs.push(PairsOfRun { tokens: length - 1, pairs: vec![(index, fork, trace)] });
                        computed += length - 1;
                    }
                }
            }
        }
        Self { packed, runs, computed }
    }
}

/// Extensions of branches, laid out as new runs behind the cached ones.
struct ExtensionPass<'a> {
    /// The cached run that each new run continues, and its tokens.
    growth: Vec<(Growth, &'a [u32])>,
    runs: Vec<PairsOfRun>,
    /// `[new runs][pairs]`: the tokens to predict.
    next: Vec<Vec<&'a [u32]>>,
    /// The new run of each extension.
    run_of: Vec<usize>,
}

impl<'a> ExtensionPass<'a> {
    fn new(pairs: &Pairs<'a>, extensions: &[(usize, Extension)]) -> Self {
        let mut pass = Self { growth: Vec::new(), runs: Vec::new(), next: Vec::new(), run_of: Vec::new() };
        let mut same_tokens: HashMap<(usize, &[u32]), usize> = HashMap::new();
        for &(question, Extension { fork, trace, known, wanted }) in extensions {
            let traces = &pairs.questions[question].traces;
            let tokens = &traces[trace].tokens;
            let last_run = pairs.branches[question][fork * traces.len() + trace];
            let from = last_run.unwrap_or(pairs.lead_runs[question][fork]);
            let fed = &tokens[known - 1..wanted - 1];
            // The same tokens behind the same run are one run: traces that begin alike, up to where they differ.
            let run = *same_tokens.entry((from, fed)).or_insert_with(|| {
                pass.growth.push((Growth::From(from), fed));
                pass.runs.push(PairsOfRun { tokens: wanted - known, pairs: Vec::new() });
                pass.next.push(Vec::new());
                pass.growth.len() - 1
            });
            pass.runs[run].pairs.push((question, fork, trace));
            pass.next[run].push(&tokens[known..wanted]);
            pass.run_of.push(run);
        }
        pass
    }

    /// Tokens of the pass.
    fn tokens(&self) -> usize {
        self.runs.iter().map(|run| run.tokens).sum()
    }

    /// TrainedTrace and token id of every target, in the order of [`Losses::nll`].
    fn targets(&self) -> Targets {
        let (mut rows, mut targets, mut row) = (Vec::new(), Vec::new(), 0);
        for (run, next) in self.runs.iter().zip(&self.next) {
            for token in 0..run.tokens {
                rows.extend(next.iter().map(|_| row));
                targets.extend(next.iter().map(|tokens| tokens[token]));
                row += 1;
            }
        }
        packing::targets(&rows, &targets)
    }
}
