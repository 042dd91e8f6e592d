//! Run times that stay comparable on a machine whose speed drifts.

use std::time::Instant;

/// Times of repeated runs of the same work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// Median, in milliseconds.
    pub median_ms: f64,
    /// Shortest run, in milliseconds.
    pub min_ms: f64,
    /// Number of runs.
    pub runs: usize,
}

/// Times `work` on each of `variants`: one untimed run each to warm up, then `runs` rounds with one run of every variant.
/// What slows the machine down during a round slows all variants down alike.
///
/// ```
/// let times = ssft_bench::clock::take_turns(3, &[10_000u64, 20_000], |&count| {
///     std::hint::black_box((0..count).sum::<u64>());
/// });
/// assert_eq!((times.len(), times[0].runs), (2, 3));
/// assert!(times[0].min_ms <= times[0].median_ms);
/// ```
///
/// # Panics
/// If `runs` is 0.
pub fn take_turns<T>(runs: usize, variants: &[T], work: impl Fn(&T)) -> Vec<Times> {
    variants.iter().for_each(&work);
    let mut taken = vec![Vec::with_capacity(runs); variants.len()];
    for _ in 0..runs {
        for (variant, taken) in variants.iter().zip(&mut taken) {
            let started = Instant::now();
            work(variant);
            taken.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    taken.into_iter().map(Times::of).collect()
}

impl Times {
    /// Statistics of runs that took these milliseconds.
    ///
    /// # Panics
    /// If there is no run.
    pub fn of(mut taken: Vec<f64>) -> Self {
        taken.sort_by(f64::total_cmp);
        Self { median_ms: middle(&taken), min_ms: taken[0], runs: taken.len() }
    }
}

/// Median of `values`; of an even number of values, the mean of the two in the middle.
///
/// # Panics
/// If there is no value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    middle(&values)
}

fn middle(sorted: &[f64]) -> f64 {
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_ones() {
        let of = |taken: &[f64]| Times::of(taken.to_vec());
        assert_eq!(of(&[5.0, 1.0, 3.0]), Times { median_ms: 3.0, min_ms: 1.0, runs: 3 });
        assert_eq!(of(&[8.0, 2.0, 4.0, 6.0]), Times { median_ms: 5.0, min_ms: 2.0, runs: 4 });
    }

    #[test]
    fn variants_warm_up_and_then_take_turns() {
        let order = RefCell::new(String::new());
        let times = take_turns(2, &['a', 'b'], |&variant| order.borrow_mut().push(variant));
        assert_eq!((order.into_inner().as_str(), times.len()), ("ababab", 2));
    }
}
