//! The numbers still available.

/// Most given numbers of a question.
pub(super) const MOST: usize = 4;

/// Up to [`MOST`] numbers in ascending order, so that equal multisets are equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Numbers {
    /// Zero from index `len` on.
    values: [u64; MOST],
    len: usize,
}

impl Numbers {
    /// The numbers of a slice in any order; `None` if there are more than [`MOST`].
    pub(super) fn new(numbers: &[u64]) -> Option<Self> {
        let mut values = [0; MOST];
        let part = values.get_mut(..numbers.len())?;
        part.copy_from_slice(numbers);
        part.sort_unstable();
        Some(Self { values, len: numbers.len() })
    }

    /// The numbers, ascending.
    pub(super) fn as_slice(&self) -> &[u64] {
        &self.values[..self.len]
    }

    /// Count of the numbers.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The numbers without one occurrence of `number`; `None` if there is none.
    pub(super) fn without(mut self, number: u64) -> Option<Self> {
        let at = self.as_slice().iter().position(|value| *value == number)?;
        self.values.copy_within(at + 1..self.len, at);
        self.len -= 1;
        self.values[self.len] = 0;
        Some(self)
    }

    /// The numbers with `left` and `right` replaced by `result`; `None` if either is missing.
    pub(super) fn replace(self, left: u64, right: u64, result: u64) -> Option<Self> {
        let mut numbers = self.without(left)?.without(right)?;
        numbers.values[numbers.len] = result;
        numbers.len += 1;
        numbers.values[..numbers.len].sort_unstable();
        Some(numbers)
    }

    /// The number, if there is exactly one.
    pub(super) fn single(&self) -> Option<u64> {
        if let [number] = self.as_slice() { Some(*number) } else { None }
    }

    /// The sum, saturating at `u64::MAX`.
    pub(super) fn sum(&self) -> u64 {
        self.as_slice().iter().fold(0, |sum, number| sum.saturating_add(*number))
    }

    /// The product, saturating at `u64::MAX`.
    pub(super) fn product(&self) -> u64 {
        self.as_slice().iter().fold(1, |product, number| product.saturating_mul(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[u64]) -> Numbers {
        Numbers::new(values).expect("four at most")
    }

    #[test]
    fn equal_numbers_are_used_up_one_by_one() {
        let twins = numbers(&[8, 3, 8]);
        assert_eq!(twins.as_slice(), [3, 8, 8]);
        assert_eq!(twins.without(8), Some(numbers(&[3, 8])));
        assert_eq!(twins.replace(8, 8, 1), Some(numbers(&[1, 3])));
        assert_eq!(twins.replace(3, 3, 9), None);
        assert_eq!(twins.without(5), None);
        assert_eq!(Numbers::new(&[1; MOST + 1]), None);
    }

    #[test]
    fn huge_sums_and_products_saturate() {
        let huge = numbers(&[u64::MAX, 2]);
        assert_eq!((huge.sum(), huge.product()), (u64::MAX, u64::MAX));
        assert_eq!((numbers(&[7]).single(), huge.single()), (Some(7), None));
    }
}
