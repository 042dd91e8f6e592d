//! Answers reserved for the test split.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Length of a run of consecutive numbers, of which one is held out.
const RUN: u64 = 20;

/// The answers that no training question may have: one number of each run of 20, so that the share is the same at all
/// magnitudes.
#[derive(Debug)]
pub(super) struct HeldOutAnswers {
    /// `[runs]`: offset of the held-out number in the run that starts at 20 times the index.
    offsets: Vec<u64>,
}

impl HeldOutAnswers {
    /// Draws the held-out answers among `0..=largest`.
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
