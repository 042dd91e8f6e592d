//! Times that can be compared on a machine whose speed drifts.

use std::time::Instant;

/// Of several runs of the same work, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// Half of the runs took no longer.
    pub median_ms: f64,
    /// The shortest run.
    pub min_ms: f64,
    /// Number of runs.
    pub runs: usize,
}

/// Does `work` with each of `variants` once to warm up, and then `runs` times by turns: what slows the machine down for
/// a while slows all of them down alike.
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
    /// Statistics of at least one run, each given by its milliseconds.
    pub fn of(mut taken: Vec<f64>) -> Self {
        taken.sort_by(f64::total_cmp);
        let runs = taken.len();
        Self { median_ms: (taken[(runs - 1) / 2] + taken[runs / 2]) / 2.0, min_ms: taken[0], runs }
    }
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
