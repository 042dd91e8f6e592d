//! Host randomness without state: every draw is a function of the seed, its purpose and its index.
//!
//! A run that resumes at step `n` therefore draws what the uninterrupted run would have drawn.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Order of the questions in epoch `index`.
    Shuffle = 1,
    /// Random assignments of step `index`.
    Assignment = 2,
}

/// The generator for one purpose and index of a run.
pub fn generator(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}
