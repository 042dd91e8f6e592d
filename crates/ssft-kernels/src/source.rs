//! The text of every shader, compiled in.

use std::borrow::Cow;

/// A WGSL file: one entry point, named `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shader {
    /// Name of the file, without its extension.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Invocations of a workgroup, as the file has it.
    pub lanes: u32,
}

/// How much of a matrix product one lane keeps in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LaneTile {
    /// 8 x 8, as the files have it: what the registers of a GPU's lane hold.
    Gpu,
    /// 16 x 16, for a program that plays a GPU: there every load of a lane is a small loop, and has to pay for more
    /// arithmetic, while sums live in a cache anyway.
    Software,
}

impl LaneTile {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Gpu, Self::Software];
}

/// Constants of the shaders that multiply matrices.
const QUADS: [&str; 2] = ["const ROW_QUADS = 2u;", "const COLUMN_QUADS = 2u;"];

impl Shader {
    /// The text with the constants of a lane tile. A shader that multiplies no matrices has none.
    pub fn text_for(&self, tile: LaneTile) -> Cow<'static, str> {
        match tile {
            LaneTile::Gpu => Cow::Borrowed(self.text),
            LaneTile::Software => {
                let double = |text: String, line: &&str| text.replace(*line, &line.replace('2', "4"));
                Cow::Owned(QUADS.iter().fold(self.text.to_owned(), double))
            }
        }
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
/// Mean of contiguous runs.
pub const SEGMENT_MEAN: Shader = shader!("segment_mean", 64);

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

/// Every shader.
pub const SHADERS: [Shader; 15] = [
    NLL_PARTIALS,
    NLL_COMBINE,
    NLL_LOGIT_GRADIENT,
    NLL_HIDDEN_GRADIENT,
    NLL_WEIGHT_GRADIENT,
    SEGMENT_MEAN,
    RMS_NORM,
    RMS_NORM_INPUT_GRADIENT,
    RMS_NORM_WEIGHT_GRADIENT,
    COLUMN_SUMS,
    ROTARY,
    SWIGLU,
    SWIGLU_GRADIENT,
    ADAMW,
    SUM_OF_SQUARES,
];
