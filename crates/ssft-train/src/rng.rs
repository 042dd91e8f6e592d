//! Random numbers without saved state: each generator is a function of the seed, a purpose and an index.
//!
//! A run that resumes at step `n` therefore draws the same numbers as the uninterrupted run. All draws are on the host, so
//! that every device gets the same ones.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Purpose of a stream of random numbers; different purposes have independent streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Order of the questions in epoch `index`.
    Shuffle = 1,
    /// Random assignments of step `index`.
    Assignment = 2,
}

/// The generator of a run with this seed, for one purpose and index.
pub fn generator(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}
