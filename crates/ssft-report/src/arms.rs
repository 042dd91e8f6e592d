//! Which arm of an experiment a run belongs to.

use crate::record::RunRecord;
use ssft_run::settings::Settings;
use ssft_train::Method;

/// Methods in the order of the paper.
const ORDER: [Method; 4] = [Method::Sft, Method::SftMixed, Method::SsftRandom, Method::Ssft];

/// An arm's place among all arms (by method, then by name) and its name.
pub(crate) type ArmKey = (usize, String);

/// Settings of a run of the arm that others are compared with: `ssft`, with the N and L that most runs have. Without a run of
/// `ssft`, those of the first run.
pub(crate) fn base<'a>(runs: &[&'a RunRecord]) -> Option<&'a Settings> {
    let variant = |run: &RunRecord| (run.config.forks, run.config.match_tokens);
    let shared = |run: &RunRecord| runs.iter().filter(|other| variant(other) == variant(run)).count();
    // Of equal maxima the first: `max_by_key` takes the last.
    let ssft = runs.iter().rev().filter(|run| run.config.method == Method::Ssft);
    ssft.max_by_key(|run| shared(run)).or(runs.first()).map(|run| &run.config)
}

/// The arm of `run`: its method, and N and L where they matter and differ from those of `base`. N has no effect with a
/// method of one fork, L none with a method that does not match.
pub(crate) fn arm_of(run: &Settings, base: &Settings) -> ArmKey {
    let mut name = run.method.name().to_owned();
    if run.forks != base.forks && matches!(run.method, Method::SsftRandom | Method::Ssft) {
        name += &format!(", N = {}", run.forks);
    }
    if run.match_tokens != base.match_tokens && run.method == Method::Ssft {
        name += &format!(", L = {}", run.match_tokens);
    }
    (ORDER.iter().position(|&method| method == run.method).unwrap_or(ORDER.len()), name)
}
