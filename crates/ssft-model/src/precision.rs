//! Types of the numbers in weights files. In memory, weights are f32 ([`crate::weight`]).

use safetensors::Dtype;
use serde::{Deserialize, Serialize};

/// A floating-point type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// IEEE 754 single precision.
    #[default]
    F32,
    /// IEEE 754 half precision; largest value 65504.
    F16,
    /// The upper 16 bits of an f32: same range, 8 bits of precision.
    Bf16,
}

impl Precision {
    /// All types.
    pub(crate) const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    /// Value of the key `dtype` in `config.json`.
    pub fn hugging_face(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    /// Size of a number in bytes.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The type in a safetensors header.
    pub(crate) fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
        }
    }

    /// The type of this safetensors type, if it is supported.
    pub(crate) fn of(dtype: Dtype) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.dtype() == dtype)
    }

    /// Converts `bytes`, a whole number of little-endian values, to f32 and appends them to `values`.
    pub(crate) fn widen(self, bytes: &[u8], values: &mut Vec<f32>) {
        let halves =
            |convert: fn([u8; 2]) -> f32| bytes.as_chunks::<2>().0.iter().map(move |half| convert(*half));
        match self {
            Self::F32 => values.extend(bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word))),
            Self::F16 => values.extend(halves(|half| half::f16::from_le_bytes(half).to_f32())),
            Self::Bf16 => values.extend(halves(|half| half::bf16::from_le_bytes(half).to_f32())),
        }
    }

    /// Converts `values` to bytes, rounding to nearest; `None` if a result is not finite.
    pub(crate) fn narrow(self, values: &[f32]) -> Option<Vec<u8>> {
        let finite = |value: f32| value.is_finite().then_some(value);
        let mut bytes = Vec::with_capacity(values.len() * self.bytes());
        for &value in values {
            match self {
                Self::F32 => bytes.extend_from_slice(&finite(value)?.to_le_bytes()),
                Self::F16 => {
                    let half = half::f16::from_f32(value);
                    finite(half.to_f32())?;
                    bytes.extend_from_slice(&half.to_le_bytes());
                }
                Self::Bf16 => {
                    let half = half::bf16::from_f32(value);
                    finite(half.to_f32())?;
                    bytes.extend_from_slice(&half.to_le_bytes());
                }
            }
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowing_rounds_to_nearest() {
        let values = [0.0, -1.5, 3.140_625, 65504.0, 1e-7];
        for precision in [Precision::F32, Precision::F16, Precision::Bf16] {
            let mut again = Vec::new();
            precision.widen(&precision.narrow(&values).expect("finite"), &mut again);
            let largest = if precision == Precision::F16 { 2e-3 } else { 4e-3 };
            for (value, read) in values.iter().zip(&again) {
                assert!((value - read).abs() <= largest * value.abs() + 1e-7, "{precision:?} {value} {read}");
            }
            assert_eq!(again.len(), values.len());
        }
        assert_eq!(Precision::Bf16.narrow(&[1.0]).expect("finite"), [0x80, 0x3f]);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert!(Precision::F16.narrow(&[70000.0]).is_none());
        assert!(Precision::Bf16.narrow(&[f32::MAX]).is_none(), "rounds up to infinity");
        assert!(Precision::F32.narrow(&[f32::NAN]).is_none());
    }
}
