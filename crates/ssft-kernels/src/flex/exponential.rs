//! Exponentials of the numbers of a slice.

use super::wide::{LANES, wide};

/// Exponent below which [`exp`] returns 0, because the result would not be a normal number of f32.
const LEAST_EXPONENT: f32 = -87.0;

wide! {
    /// Maximum of `values` and the sum of `exp(value - maximum)`.
    ///
    /// A NaN among the values makes the sum NaN.
    pub fn max_and_sum_exp(values: &[f32]) -> (f32, f32) {
        let max = max(values);
        (max, sum_exp(values, max))
    }
}

wide! {
    /// Replaces every value by `exp(value - maximum)`; returns the maximum and the sum of the new values.
    ///
    /// A NaN among the values makes the sum NaN.
    pub fn to_exp(values: &mut [f32]) -> (f32, f32) {
        let max = max(values);
        let (blocks, rest) = values.as_chunks_mut::<LANES>();
        let mut lanes = [0.0f32; LANES];
        for block in blocks {
            for (lane, value) in lanes.iter_mut().zip(block) {
                *value = exp(*value - max);
                *lane += *value;
            }
        }
        for (lane, value) in lanes.iter_mut().zip(rest) {
            *value = exp(*value - max);
            *lane += *value;
        }
        (max, lanes.iter().sum())
    }
}

wide! {
    /// `value = scale * exp(value - shift)` for every value.
    pub fn scaled_exp(values: &mut [f32], shift: f32, scale: f32) {
        for value in values.iter_mut() {
            *value = scale * exp(*value - shift);
        }
    }
}

#[inline(always)]
fn max(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::MIN; LANES];
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane = larger(*lane, value);
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::MIN, larger)
}

#[inline(always)]
fn sum_exp(values: &[f32], shift: f32) -> f32 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane += exp(value - shift);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += exp(value - shift);
    }
    lanes.iter().sum()
}

/// `exp(x)` for x up to 88, with an error of at most 2 units in the last place; 0 below [`LEAST_EXPONENT`]. NaN for NaN.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`. `exp(r)` is the Taylor polynomial up to `r^7 / 7!`, whose next term is below
/// half a unit in the last place; `2^n` is assembled from its bits.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // 1.5 * 2^23. Adding it rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 as a sum of two numbers. The first ends in zeros, so that its product with n is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x < LEAST_EXPONENT { LEAST_EXPONENT } else { x };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.0 / 5040.0; // 1 / 7!
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + coefficient;
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    if x < LEAST_EXPONENT { 0.0 } else { p * power }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let mut worst = 0.0f64;
        for step in 0..1_000_000 {
            let x = -87.0 + step as f32 * 1.75e-4;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - exact).abs() / (exact * f64::from(f32::EPSILON)));
        }
        assert!(worst <= 2.0, "{worst} units");
    }

    #[test]
    fn exp_at_the_ends() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-87.5), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::MIN), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_cover_every_value_of_any_length() {
        for length in [1, 2, 15, 16, 17, 31, 33, 100] {
            let values: Vec<f32> = (0..length).map(|i| (i as f32 * 0.37).sin() * 9.0).collect();
            let (max, sum) = max_and_sum_exp(&values);
            let mut replaced = values.clone();
            assert_eq!(to_exp(&mut replaced), (max, sum));
            assert_eq!(replaced[length - 1], exp(values[length - 1] - max));
            let exact_max = values.iter().copied().fold(f32::MIN, f32::max);
            let exact: f64 = values.iter().map(|&value| (f64::from(value) - f64::from(max)).exp()).sum();
            assert_eq!(max, exact_max);
            assert!((f64::from(sum) - exact).abs() <= 4e-7 * exact, "{length}: {sum} against {exact}");
        }
    }

    #[test]
    fn a_nan_is_not_lost() {
        for at in [0, 7, 20] {
            let mut values = vec![1.0; 21];
            values[at] = f32::NAN;
            assert!(max_and_sum_exp(&values).1.is_nan());
            scaled_exp(&mut values, 0.0, 1.0);
            assert!(values[at].is_nan());
        }
    }
}
