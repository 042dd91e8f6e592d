//! Measures of arXiv 2510.05132 and related ones, as functions of counts and answers.

use super::vote::majority;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// Unbiased estimate of Pass@k: `1 - C(n - c, k) / C(n, k)`, the probability that at least one of `k` samples, drawn
/// without replacement from n = `samples` with c = `correct` correct ones, is correct. Source: arXiv 2107.03374.
///
/// # Panics
/// If `k` is 0, or `k` or `correct` is larger than `samples`.
pub fn pass_at_k(samples: usize, correct: usize, k: usize) -> f64 {
    assert!(0 < k && k <= samples && correct <= samples, "{k} of {samples} samples, {correct} correct");
    // Each factor is the probability that the next sample is wrong, given that all before it were.
    let wrong = samples - correct;
    let all_wrong: f64 =
        (0..k).map(|drawn| wrong.saturating_sub(drawn) as f64 / (samples - drawn) as f64).product();
    1.0 - all_wrong
}

/// `[forks]`: an even split of `k` samples over the forks; which forks get one more is drawn from `rng`.
pub fn fair_split(k: usize, forks: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut counts: Vec<usize> = (0..forks).map(|place| k / forks + usize::from(place < k % forks)).collect();
    counts.shuffle(rng);
    counts
}

/// Whether the majority answer is correct; the first sample with that answer decides.
///
/// `samples` are pairs of answer and correctness; ties go to the earlier one.
pub fn consensus<'a>(samples: impl IntoIterator<Item = (Option<&'a str>, bool)>) -> bool {
    let (answers, correct): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
    majority(answers).is_some_and(|vote| correct[vote.first])
}

/// Number of different names.
pub fn distinct<'a>(names: impl IntoIterator<Item = &'a str>) -> usize {
    names.into_iter().collect::<BTreeSet<_>>().len()
}

/// Mutual information of a table of counts, in bits: `I(row; column) = sum p(r, c) log2(p(r, c) / (p(r) p(c)))`. For n
/// counts it is biased upward by about `(rows - 1) (columns - 1) / (2 n ln 2)`.
pub fn mutual_information(counts: &[Vec<usize>]) -> f64 {
    let total: usize = counts.iter().flatten().sum();
    let row_sum = |row: usize| counts[row].iter().sum::<usize>() as f64;
    let column_sum = |column: usize| counts.iter().map(|row| row[column]).sum::<usize>() as f64;
    let mut bits = 0.0;
    for (row, cells) in counts.iter().enumerate() {
        for (column, &count) in cells.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let count = count as f64;
            bits +=
                count / total as f64 * (count * total as f64 / (row_sum(row) * column_sum(column))).log2();
        }
    }
    bits
}

/// `[forks, forks]`: fraction of the questions to which both forks give the same answer, from `answers [questions, forks]`.
/// A missing answer agrees with no other, so that the diagonal is the fraction of questions with an answer.
pub fn agreement(answers: &[Vec<Option<&str>>], forks: usize) -> Vec<Vec<f64>> {
    let agree = |a: usize, b: usize| {
        let same = answers.iter().filter(|answers| answers[a].is_some() && answers[a] == answers[b]).count();
        same as f64 / answers.len().max(1) as f64
    };
    (0..forks).map(|a| (0..forks).map(|b| agree(a, b)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::sample::row_generator;

    #[test]
    fn pass_at_k_by_hand() {
        // 4 samples, 1 correct: 3 of 6 pairs and 3 of 4 triples contain it.
        for (samples, correct, k, share) in [
            (4, 1, 1, 0.25),
            (4, 1, 2, 0.5),
            (4, 1, 3, 0.75),
            (4, 1, 4, 1.0),
            (5, 2, 2, 0.7),
            (6, 0, 6, 0.0),
            (6, 6, 1, 1.0),
            (6, 4, 3, 1.0),
            (1, 0, 1, 0.0),
        ] {
            let found = pass_at_k(samples, correct, k);
            assert!((found - share).abs() < 1e-12, "{samples} {correct} {k}: {found}");
        }
    }

    #[test]
    #[should_panic(expected = "7 of 6 samples, 2 correct")]
    fn more_than_there_are_cannot_be_drawn() {
        pass_at_k(6, 2, 7);
    }

    #[test]
    fn samples_are_split_fairly() {
        let mut seen = BTreeSet::new();
        for question in 0..200 {
            let mut rng = row_generator(1, question, 0, 0);
            assert_eq!(fair_split(6, 6, &mut rng), [1; 6]);
            assert_eq!(fair_split(12, 6, &mut rng), [2; 6]);
            for (k, least) in [(2, 0), (8, 1)] {
                let split = fair_split(k, 6, &mut rng);
                assert_eq!(split.iter().sum::<usize>(), k);
                assert_eq!(split.iter().filter(|&&count| count == least + 1).count(), 2, "two give one more");
                assert!(split.iter().all(|&count| count == least || count == least + 1));
                seen.insert(split);
            }
        }
        assert_eq!(seen.len(), 30, "every pair of forks comes up");
    }

    #[test]
    fn consensus_by_hand() {
        let says = |answer, correct| (Some(answer), correct);
        assert!(consensus([says("5", true), says("6", false), says("5", true)]));
        assert!(!consensus([says("6", false), says("5", true), says("6", false)]));
        assert!(consensus([says("5", true), says("6", false)]), "a tie goes to the first");
        assert!(!consensus([says("6", false), says("5", true)]));
        assert!(!consensus([(None, false), (None, false)]), "nobody answers");
        assert!(consensus([(None, false), (None, false), says("5", true)]), "silence does not vote");
        // Two paths of 8 moves, one of them through a wall: the first decides.
        assert!(!consensus([says("8", false), says("9", true), says("8", true)]));
        assert!(!consensus([]));
    }

    #[test]
    fn information_by_hand() {
        let bits = |counts: &[&[usize]]| {
            mutual_information(&counts.iter().map(|row| row.to_vec()).collect::<Vec<_>>())
        };
        assert_eq!(bits(&[&[4, 0], &[0, 4]]), 1.0, "a fork names its strategy");
        assert_eq!(bits(&[&[2, 2], &[2, 2]]), 0.0, "a fork says nothing");
        assert_eq!(bits(&[&[4, 0, 0, 0], &[0, 4, 0, 0], &[0, 0, 4, 0], &[0, 0, 0, 4]]), 2.0);
        assert_eq!(bits(&[&[0, 0], &[0, 0]]), 0.0);
        // p = 1/2, 1/4 | 0, 1/4: 1/2 log2(1/2 / (3/4 1/2)) + 1/4 log2(1/4 / (3/4 1/2)) + 1/4 log2(1/4 / (1/4 1/2)).
        let expected = 0.5 * (4.0f64 / 3.0).log2() + 0.25 * (2.0f64 / 3.0).log2() + 0.25;
        assert!((bits(&[&[2, 1], &[0, 1]]) - expected).abs() < 1e-12);
    }

    #[test]
    fn agreement_by_hand() {
        let answers = [
            vec![Some("1"), Some("1"), None],
            vec![Some("1"), Some("2"), Some("2")],
            vec![None, None, None],
            vec![Some("3"), Some("3"), Some("3")],
        ];
        assert_eq!(agreement(&answers, 3), [[0.75, 0.5, 0.25], [0.5, 0.75, 0.5], [0.25, 0.5, 0.5]]);
        assert_eq!(agreement(&[], 1), [[0.0]]);
    }

    #[test]
    fn different_ones_by_hand() {
        assert_eq!(distinct(["a", "b", "a"]), 2);
        assert_eq!(distinct([]), 0);
    }
}
