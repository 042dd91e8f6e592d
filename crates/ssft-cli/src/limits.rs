//! What settings may be.

use crate::config::RunConfig;
use crate::day;
use crate::exit::Failure;

/// Refuses settings out of range, before anything is done with them.
///
/// # Errors
/// [`Failure::Usage`] names the flag and what it may be.
pub fn check(config: &RunConfig) -> Result<(), Failure> {
    if let Some(day) = &config.date {
        day::parse(day)?;
    }
    let positive = [
        ("--match-tokens", config.match_tokens),
        ("--batch-questions", config.batch_questions),
        ("--accumulate", config.accumulate),
        ("--keep", config.keep),
        ("--context", config.context),
        ("--train-questions", config.train_questions),
        ("--steps", config.steps.unwrap_or(1)),
        ("--memory-budget", config.memory_budget.unwrap_or(1)),
    ];
    if let Some((flag, _)) = positive.iter().find(|(_, value)| *value == 0) {
        return Err(Failure::Usage(format!("{flag} is 0; give at least 1")));
    }
    let numbers = [
        ("--lr", config.lr, f64::MIN_POSITIVE),
        ("--weight-decay", config.weight_decay, 0.0),
        ("--clip-norm", config.clip_norm, 0.0),
        ("--epochs", config.epochs.unwrap_or(1.0), f64::MIN_POSITIVE),
    ];
    if let Some((flag, value, least)) =
        numbers.iter().find(|(_, value, least)| !value.is_finite() || value < least)
    {
        let least = if *least == 0.0 { "0 or more" } else { "a number above 0" };
        return Err(Failure::Usage(format!("{flag} is {value}; give {least}")));
    }
    let sizes = [
        ("--vocab-size", config.vocab_size),
        ("--context", config.context),
        ("--batch-questions", config.batch_questions),
        ("--accumulate", config.accumulate),
        ("--memory-budget", config.memory_budget.unwrap_or(1)),
    ];
    if let Some((flag, value)) = sizes.iter().find(|(_, value)| *value > MOST_TOKENS) {
        return Err(Failure::Usage(format!("{flag} is {value}; at most {MOST_TOKENS} is supported")));
    }
    if config.fork_init.is_some() && config.model.is_none() {
        return Err(Failure::Usage("--fork-init is for a --model; leave it out".to_owned()));
    }
    check_number_of_forks(config.forks)
}

/// Refuses a count below `least`, or one that nobody can mean.
///
/// # Errors
/// [`Failure::Usage`].
pub fn check_count(flag: &str, value: usize, least: usize) -> Result<(), Failure> {
    if (least..=MOST_TOKENS).contains(&value) {
        return Ok(());
    }
    Err(Failure::Usage(format!("{flag} is {value}; give {least} to {MOST_TOKENS}")))
}

/// Refuses a number of forking tokens that nobody can mean.
///
/// # Errors
/// [`Failure::Usage`].
pub fn check_number_of_forks(forks: usize) -> Result<(), Failure> {
    match forks {
        0 => Err(Failure::Usage("--forks is 0; give at least 1".to_owned())),
        1..=MOST_FORKS => Ok(()),
        _ => Err(Failure::Usage(format!("--forks is {forks}; at most {MOST_FORKS} are supported"))),
    }
}

/// More forks than anyone has traces for; keeps a slip of the finger from reserving a huge vocabulary.
const MOST_FORKS: usize = 256;

/// Larger than any vocabulary, context or batch there is; keeps a slip of the finger from asking for all memory.
pub const MOST_TOKENS: usize = 1 << 20;
