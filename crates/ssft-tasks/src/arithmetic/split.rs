//! Numbers of questions of each kind in each split.

use super::pool::Supply;

/// Number of questions of one operator still to be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Quota {
    /// Test questions with a held-out answer.
    pub(super) held: u64,
    /// Test questions with any other answer.
    pub(super) unseen: u64,
    /// Training questions.
    pub(super) train: u64,
}

impl Quota {
    /// Divides `train` and `test` questions between the two operators with these supplies.
    ///
    /// Half of the test questions get held-out answers, and half of each kind come from the second operator; if one side
    /// has too few questions, the other fills up. The test split is served first, so that it contains both operators.
    ///
    /// # Errors
    /// The number of available questions for this `test`, if the supplies are too small.
    pub(super) fn divide(train: u64, test: u64, supplies: [Supply; 2]) -> Result<[Self; 2], u64> {
        let held = supplies.map(|supply| supply.held);
        let open = supplies.map(|supply| supply.open);
        let (all_held, all_open) = (held[0] + held[1], open[0] + open[1]);
        let available = (all_open.saturating_add(test)).min(all_open + all_held);
        if train.saturating_add(test) > available {
            return Err(available);
        }
        let from_held = halves(test, [all_open - train, all_held])[1];
        let held = halves(from_held, held);
        let unseen = halves(test - from_held, open);
        let train = halves(train, [open[0] - unseen[0], open[1] - unseen[1]]);
        Ok([0, 1].map(|at| Self { held: held[at], unseen: unseen[at], train: train[at] }))
    }

    /// Whether all questions have been drawn.
    pub(super) fn is_met(&self) -> bool {
        *self == Self::default()
    }
}

/// Divides `count` into two parts, as equal as the supplies allow; the supplies together are at least `count`.
fn halves(count: u64, supplies: [u64; 2]) -> [u64; 2] {
    let second = (count / 2).min(supplies[1]).max(count.saturating_sub(supplies[0]));
    [count - second, second]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPPLIES: [Supply; 2] = [Supply { held: 10, open: 200 }, Supply { held: 4, open: 60 }];

    #[test]
    fn scarce_kinds_are_made_up_for() {
        let plenty = Quota::divide(40, 8, SUPPLIES).expect("enough");
        assert_eq!(
            plenty,
            [Quota { held: 2, unseen: 2, train: 20 }, Quota { held: 2, unseen: 2, train: 20 }]
        );
        // 20 held-out answers wanted, 14 there; 26 unseen ones instead; 34 products left for training.
        let scarce = Quota::divide(200, 40, SUPPLIES).expect("enough");
        assert_eq!(
            scarce,
            [Quota { held: 10, unseen: 13, train: 153 }, Quota { held: 4, unseen: 13, train: 47 }]
        );
    }

    #[test]
    fn everything_can_be_used_up_and_no_more() {
        let all = Quota::divide(260, 14, SUPPLIES).expect("enough");
        assert_eq!(all, [Quota { held: 10, unseen: 0, train: 200 }, Quota { held: 4, unseen: 0, train: 60 }]);
        assert_eq!(Quota::divide(260, 15, SUPPLIES), Err(274));
        assert_eq!(Quota::divide(261, 0, SUPPLIES), Err(260));
        assert_eq!(Quota::divide(u64::MAX, u64::MAX, SUPPLIES), Err(274));
    }
}
