//! Numbers that no training question may lead to.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// One answer is held out of each run of this many.
const RUN: u64 = 20;

/// The answers that no training question may have: one of every 20 consecutive numbers, so that all
/// magnitudes lose the same share.
#[derive(Debug)]
pub(super) struct HeldOutAnswers {
    /// For the run that starts at 20 times the index: which of its numbers is held out.
    offsets: Vec<u64>,
}

impl HeldOutAnswers {
    /// Draws them from the answers `0..=largest`.
    pub(super) fn draw(largest: u64, rng: &mut ChaCha8Rng) -> Self {
        let offsets = (0..=largest / RUN).map(|_| rng.random_range(0..RUN)).collect();
        Self { offsets }
    }

    /// Whether `answer` is held out.
    pub(super) fn contains(&self, answer: u64) -> bool {
        let run = usize::try_from(answer / RUN).ok();
        run.and_then(|run| self.offsets.get(run)) == Some(&(answer % RUN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn one_answer_in_twenty_is_held_out() {
        let held_out = HeldOutAnswers::draw(1_999, &mut ChaCha8Rng::seed_from_u64(3));
        for run in 0..100 {
            let in_run = (run * RUN..(run + 1) * RUN).filter(|answer| held_out.contains(*answer));
            assert_eq!(in_run.count(), 1);
        }
        assert!(!held_out.contains(u64::MAX));
    }
}
