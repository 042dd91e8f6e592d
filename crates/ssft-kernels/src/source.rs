//! The text of every shader, compiled in.

use std::borrow::Cow;
use std::sync::OnceLock;
use thiserror::Error;

/// A WGSL file: one entry point, named `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shader {
    /// Name of the file, without its extension.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Invocations of a workgroup, as the file has it.
    pub lanes: u32,
    /// Quads of an attention head that a lane sums: 1, as the file has it, or what [`Shader::with_head_tiles`] chose.
    pub head_tiles: u32,
}

/// How much of a matrix product one lane keeps in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LaneTile {
    /// 8 x 8, as the files have it: what the registers of a GPU's lane hold.
    Gpu,
    /// 16 x 16, for a software adapter: there every load of a lane is a small loop, and has to pay for more
    /// arithmetic, while sums live in a cache anyway.
    Software,
}

/// `SSFT_LANE_TILE` has an unknown value.
#[derive(Debug, Clone, Error)]
#[error("SSFT_LANE_TILE is \"{0}\"; give gpu or software, or leave it out")]
pub struct UnknownLaneTile(String);

impl LaneTile {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Gpu, Self::Software];

    /// The value of the environment variable `SSFT_LANE_TILE`, `gpu` or `software`, which holds for every device; `None` if
    /// it is not set. It is for tests and measurements: results are the same up to rounding. It is read once per process.
    ///
    /// # Errors
    /// [`UnknownLaneTile`] for any other value.
    pub fn from_environment() -> Result<Option<Self>, UnknownLaneTile> {
        static ASKED: OnceLock<Result<Option<LaneTile>, UnknownLaneTile>> = OnceLock::new();
        let read = || match std::env::var("SSFT_LANE_TILE").as_deref() {
            Err(std::env::VarError::NotPresent) => Ok(None),
            Ok("gpu") => Ok(Some(Self::Gpu)),
            Ok("software") => Ok(Some(Self::Software)),
            Ok(other) => Err(UnknownLaneTile(other.to_owned())),
            Err(std::env::VarError::NotUnicode(other)) => {
                Err(UnknownLaneTile(other.to_string_lossy().into_owned()))
            }
        };
        ASKED.get_or_init(read).clone()
    }
}

/// Constants of the shaders that multiply matrices.
const QUADS: [&str; 2] = ["const ROW_QUADS = 2u;", "const COLUMN_QUADS = 2u;"];

/// Quads of an attention head that a lane may sum: heads of up to 64, 128 and 256 numbers.
pub const HEAD_TILES: [u32; 3] = [1, 2, 4];

/// Constant of the shaders that know attention heads.
const HEAD_TILE: &str = "const HEAD_TILES = 1u;";

impl Shader {
    /// The same shader for larger attention heads. A shader that knows none stays as it is.
    pub fn with_head_tiles(self, head_tiles: u32) -> Self {
        Self { head_tiles, ..self }
    }

    /// The text with the constants of a lane tile. A shader that multiplies no matrices has none.
    pub fn text_for(&self, tile: LaneTile) -> Cow<'static, str> {
        let mut text = Cow::Borrowed(self.text);
        if tile == LaneTile::Software {
            let double = |text: String, line: &&str| text.replace(*line, &line.replace('2', "4"));
            text = Cow::Owned(QUADS.iter().fold(text.into_owned(), double));
        }
        if self.head_tiles > 1 {
            let line = HEAD_TILE.replace('1', &self.head_tiles.to_string());
            text = Cow::Owned(text.replace(HEAD_TILE, &line));
        }
        text
    }

    /// Invocations of a workgroup with a lane tile.
    pub fn lanes_for(&self, tile: LaneTile) -> u32 {
        match tile == LaneTile::Software && self.text.contains(QUADS[0]) {
            true => self.lanes / 4,
            false => self.lanes,
        }
    }
}

macro_rules! shader {
    ($name:literal, $lanes:literal) => {
        Shader {
            name: $name,
            text: include_str!(concat!("../../../shaders/", $name, ".wgsl")),
            lanes: $lanes,
            head_tiles: 1,
        }
    };
}

/// Log-sum-exp of one span of the vocabulary.
pub const NLL_PARTIALS: Shader = shader!("nll_partials", 256);
/// Spans put together.
pub const NLL_COMBINE: Shader = shader!("nll_combine", 64);
/// Gradient of one chunk of the logits.
pub const NLL_LOGIT_GRADIENT: Shader = shader!("nll_logit_gradient", 256);
/// What a chunk contributes to the gradient of the hidden states.
pub const NLL_HIDDEN_GRADIENT: Shader = shader!("nll_hidden_gradient", 256);
/// Gradient of a chunk of the weight.
pub const NLL_WEIGHT_GRADIENT: Shader = shader!("nll_weight_gradient", 256);

/// Root mean square normalisation.
pub const RMS_NORM: Shader = shader!("rms_norm", 64);
/// Gradient of what was normalised.
pub const RMS_NORM_INPUT_GRADIENT: Shader = shader!("rms_norm_input_gradient", 64);
/// Gradient of the weight of a normalisation, by blocks of rows.
pub const RMS_NORM_WEIGHT_GRADIENT: Shader = shader!("rms_norm_weight_gradient", 256);
/// Blocks put together.
pub const COLUMN_SUMS: Shader = shader!("column_sums", 64);
/// Rotary position embedding, and its way back.
pub const ROTARY: Shader = shader!("rotary", 256);
/// The gate of a feed-forward network.
pub const SWIGLU: Shader = shader!("swiglu", 256);
/// Gradients of the gate of a feed-forward network.
pub const SWIGLU_GRADIENT: Shader = shader!("swiglu_gradient", 256);
/// One update of a parameter and its moments.
pub const ADAMW: Shader = shader!("adamw", 256);
/// Sum of the squares of a list.
pub const SUM_OF_SQUARES: Shader = shader!("sum_of_squares", 256);

/// Attention over trees.
pub const ATTENTION: Shader = shader!("attention", 128);
/// What gradients of an attention need of each query and head.
pub const ATTENTION_DELTA: Shader = shader!("attention_delta", 128);
/// Gradient of the queries of an attention.
pub const ATTENTION_QUERY_GRADIENT: Shader = shader!("attention_query_gradient", 128);
/// Gradients of the keys and values of an attention.
pub const ATTENTION_KEY_GRADIENT: Shader = shader!("attention_key_gradient", 128);

/// Every shader.
pub const SHADERS: [Shader; 18] = [
    NLL_PARTIALS,
    NLL_COMBINE,
    NLL_LOGIT_GRADIENT,
    NLL_HIDDEN_GRADIENT,
    NLL_WEIGHT_GRADIENT,
    RMS_NORM,
    RMS_NORM_INPUT_GRADIENT,
    RMS_NORM_WEIGHT_GRADIENT,
    COLUMN_SUMS,
    ROTARY,
    SWIGLU,
    SWIGLU_GRADIENT,
    ADAMW,
    SUM_OF_SQUARES,
    ATTENTION,
    ATTENTION_DELTA,
    ATTENTION_QUERY_GRADIENT,
    ATTENTION_KEY_GRADIENT,
];
