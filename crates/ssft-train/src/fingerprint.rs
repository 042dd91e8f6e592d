//! Fingerprint of the training data: a resumed run must see the data that it was started with.

use ssft_data::encode::EncodedQuestion;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// Hash of all prompts and traces (64-bit FNV-1a over lengths and token ids). It changes if any token or length changes.
pub fn fingerprint(data: &[EncodedQuestion]) -> u64 {
    let mut hash = FNV_OFFSET;
    let mut mix = |word: u32| {
        for byte in word.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
    };
    for question in data {
        let rows = std::iter::once(&question.prompt).chain(question.traces.iter().map(|trace| &trace.tokens));
        for row in rows {
            mix(row.len() as u32);
            row.iter().for_each(|&token| mix(token));
        }
    }
    hash
}
