//! The block of a matrix product that one shader invocation keeps in registers.

use std::sync::OnceLock;
use thiserror::Error;

/// Size of the block of a matrix product that one lane (shader invocation) keeps in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneTile {
    /// 8 x 8 sums, which fit the registers of a GPU's lane.
    Gpu,
    /// 16 x 16 sums, for a software adapter. There a load is a short loop over the lanes and bounds the speed, and sums
    /// are in a cache either way; a larger block needs fewer loads per multiply-add.
    Software,
}

/// `SSFT_LANE_TILE` has an unknown value.
#[derive(Debug, Clone, Error)]
#[error("SSFT_LANE_TILE is \"{0}\"; give gpu or software, or leave it out")]
pub struct UnknownLaneTile(String);

impl LaneTile {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Gpu, Self::Software];

    /// Value of the environment variable `SSFT_LANE_TILE`, `gpu` or `software`; `None` if it is not set.
    ///
    /// It applies to every device and is meant for tests and measurements: results are equal up to rounding. The variable
    /// is read once per process.
    ///
    /// # Errors
    /// [`UnknownLaneTile`] for any other value.
    pub fn from_environment() -> Result<Option<Self>, UnknownLaneTile> {
        static VALUE: OnceLock<Result<Option<LaneTile>, UnknownLaneTile>> = OnceLock::new();
        let read = || match std::env::var("SSFT_LANE_TILE").as_deref() {
            Err(std::env::VarError::NotPresent) => Ok(None),
            Ok("gpu") => Ok(Some(Self::Gpu)),
            Ok("software") => Ok(Some(Self::Software)),
            Ok(other) => Err(UnknownLaneTile(other.to_owned())),
            Err(std::env::VarError::NotUnicode(other)) => {
                Err(UnknownLaneTile(other.to_string_lossy().into_owned()))
            }
        };
        VALUE.get_or_init(read).clone()
    }
}
