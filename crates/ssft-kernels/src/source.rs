//! The shaders: their files, the constants that the host sets, and their composed texts.

pub use crate::compose::{File, compose};
pub use crate::lane_tile::{LaneTile, UnknownLaneTile};

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// A shader: a file with one entry point, `main`, and the constants that the host sets in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shader {
    /// Name of the file, without its extension.
    pub name: &'static str,
    /// Constants at the top of the composed text.
    pub defines: &'static [Define],
}

/// A WGSL constant of type `u32` that is written at the top of a composed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Define {
    /// Its name in WGSL.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
}

/// Value of a [`Define`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value {
    /// The same in every variant of a shader.
    Fixed(u32),
    /// One value for each [`LaneTile`].
    PerLaneTile {
        /// For [`LaneTile::Gpu`].
        gpu: u32,
        /// For [`LaneTile::Software`].
        software: u32,
    },
    /// The number of head tiles, one of [`HEAD_TILES`].
    HeadTiles,
}

/// A shader with a value for each of its defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The shader.
    pub shader: Shader,
    /// Block of a matrix product that a lane keeps in registers. Shaders without matrix products ignore it.
    pub lane_tile: LaneTile,
    /// Quads (vectors of four numbers) of an attention head that a lane sums. Shaders without attention ignore it.
    pub head_tiles: u32,
}

/// Possible numbers of head tiles, for heads of up to 64, 128 and 256 numbers.
pub const HEAD_TILES: [u32; 3] = [1, 2, 4];

/// Name of the define that every shader has: the number of lanes (invocations) of a workgroup.
const LANES: &str = "LANES";

impl Shader {
    /// The shader for a lane tile, with one head tile.
    pub const fn variant(self, lane_tile: LaneTile) -> Variant {
        Variant { shader: self, lane_tile, head_tiles: HEAD_TILES[0] }
    }

    /// Name of the file in the folder `shaders/`.
    pub fn file(&self) -> String {
        format!("{}.wgsl", self.name)
    }
}

impl Variant {
    /// The same shader for larger attention heads.
    pub const fn with_head_tiles(self, head_tiles: u32) -> Self {
        Self { head_tiles, ..self }
    }

    /// Name and value of each define.
    pub fn defines(&self) -> Vec<(&'static str, u32)> {
        let valued = |define: &Define| (define.name, self.value(define.value));
        self.shader.defines.iter().map(valued).collect()
    }

    /// Number of lanes (invocations) of a workgroup.
    ///
    /// # Panics
    /// If the shader has no define `LANES`; every shader of [`SHADERS`] has it.
    pub fn lanes(&self) -> u32 {
        let define = self.shader.defines.iter().find(|define| define.name == LANES);
        self.value(define.unwrap_or_else(|| panic!("{} has no define {LANES}", self.shader.name)).value)
    }

    /// The composed text, see [`compose`]. Each text is composed once per process.
    pub fn text(&self) -> Arc<str> {
        static TEXTS: LazyLock<Mutex<HashMap<Variant, Arc<str>>>> = LazyLock::new(Mutex::default);
        let composed = || compose(FILES, &self.shader.file(), &self.defines()).into();
        let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
        texts.entry(*self).or_insert_with(composed).clone()
    }

    const fn value(&self, value: Value) -> u32 {
        match (value, self.lane_tile) {
            (Value::Fixed(value), _)
            | (Value::PerLaneTile { gpu: value, .. }, LaneTile::Gpu)
            | (Value::PerLaneTile { software: value, .. }, LaneTile::Software) => value,
            (Value::HeadTiles, _) => self.head_tiles,
        }
    }
}

const fn lanes(value: Value) -> Define {
    Define { name: LANES, value }
}

/// One lane for each of 64 results, or for every 64th number of a row.
const LANES_64: &[Define] = &[lanes(Value::Fixed(64))];
/// As [`LANES_64`], where there are many results or long rows.
const LANES_256: &[Define] = &[lanes(Value::Fixed(256))];

/// A matrix product of 128 x 128 sums in a workgroup, of which a lane has 4 `ROW_QUADS` x 4 `COLUMN_QUADS`
/// (`shaders/parts/matrix_tile.wgsl`).
const MATRIX_TILE: &[Define] = &[
    lanes(Value::PerLaneTile { gpu: 256, software: 64 }),
    Define { name: "ROW_QUADS", value: Value::PerLaneTile { gpu: 2, software: 4 } },
    Define { name: "COLUMN_QUADS", value: Value::PerLaneTile { gpu: 2, software: 4 } },
];

/// 32 x 64 attention scores in a workgroup (`shaders/parts/attention_tile.wgsl`).
const ATTENTION_TILE: &[Define] =
    &[lanes(Value::Fixed(128)), Define { name: "HEAD_TILES", value: Value::HeadTiles }];

/// Log-sum-exp of the logits of each span of the vocabulary.
pub const NLL_PARTIALS: Shader = Shader { name: "nll_partials", defines: MATRIX_TILE };
/// Log-sum-exp of all spans.
pub const NLL_COMBINE: Shader = Shader { name: "nll_combine", defines: LANES_64 };
/// Gradient of one chunk of the logits.
pub const NLL_LOGIT_GRADIENT: Shader = Shader { name: "nll_logit_gradient", defines: MATRIX_TILE };
/// Share of one chunk in the gradient of the hidden states.
pub const NLL_HIDDEN_GRADIENT: Shader = Shader { name: "nll_hidden_gradient", defines: MATRIX_TILE };
/// Gradient of one chunk of the weight.
pub const NLL_WEIGHT_GRADIENT: Shader = Shader { name: "nll_weight_gradient", defines: MATRIX_TILE };

/// Root mean square normalisation.
pub const RMS_NORM: Shader = Shader { name: "rms_norm", defines: LANES_64 };
/// Gradient of the input of a normalisation.
pub const RMS_NORM_INPUT_GRADIENT: Shader = Shader { name: "rms_norm_input_gradient", defines: LANES_64 };
/// Gradient of the weight of a normalisation, one sum per block of rows.
pub const RMS_NORM_WEIGHT_GRADIENT: Shader = Shader { name: "rms_norm_weight_gradient", defines: LANES_256 };
/// Sums over the rows of a matrix.
pub const COLUMN_SUMS: Shader = Shader { name: "column_sums", defines: LANES_64 };
/// Rotary position embedding, and its inverse.
pub const ROTARY: Shader = Shader { name: "rotary", defines: LANES_256 };
/// Gate of a feed-forward network.
pub const SWIGLU: Shader = Shader { name: "swiglu", defines: LANES_256 };
/// Gradients of the gate of a feed-forward network.
pub const SWIGLU_GRADIENT: Shader = Shader { name: "swiglu_gradient", defines: LANES_256 };
/// AdamW update of a parameter and its moments.
pub const ADAMW: Shader = Shader { name: "adamw", defines: LANES_256 };
/// Sum of the squares of a list.
pub const SUM_OF_SQUARES: Shader = Shader { name: "sum_of_squares", defines: LANES_256 };

/// Attention over trees.
pub const ATTENTION: Shader = Shader { name: "attention", defines: ATTENTION_TILE };
/// Log-sum-exp and delta of each query and head, which the gradients of an attention read.
pub const ATTENTION_DELTA: Shader = Shader { name: "attention_delta", defines: &[lanes(Value::Fixed(128))] };
/// Gradient of the queries of an attention.
pub const ATTENTION_QUERY_GRADIENT: Shader =
    Shader { name: "attention_query_gradient", defines: ATTENTION_TILE };
/// Gradients of the keys and values of an attention.
pub const ATTENTION_KEY_GRADIENT: Shader = Shader { name: "attention_key_gradient", defines: ATTENTION_TILE };

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

macro_rules! files {
    ($($path:literal,)*) => {
        &[$(File { path: $path, text: include_str!(concat!("../../../shaders/", $path)) },)*]
    };
}

/// Every file of the folder `shaders/`: first the shaders, then the parts that they import.
pub static FILES: &[File] = files![
    "nll_partials.wgsl",
    "nll_combine.wgsl",
    "nll_logit_gradient.wgsl",
    "nll_hidden_gradient.wgsl",
    "nll_weight_gradient.wgsl",
    "rms_norm.wgsl",
    "rms_norm_input_gradient.wgsl",
    "rms_norm_weight_gradient.wgsl",
    "column_sums.wgsl",
    "rotary.wgsl",
    "swiglu.wgsl",
    "swiglu_gradient.wgsl",
    "adamw.wgsl",
    "sum_of_squares.wgsl",
    "attention.wgsl",
    "attention_delta.wgsl",
    "attention_query_gradient.wgsl",
    "attention_key_gradient.wgsl",
    "parts/entry.wgsl",
    "parts/matrix_tile.wgsl",
    "parts/put_rows.wgsl",
    "parts/put_columns.wgsl",
    "parts/logits.wgsl",
    "parts/chunk_shape.wgsl",
    "parts/norm_row.wgsl",
    "parts/gate.wgsl",
    "parts/attention_tile.wgsl",
    "parts/attention_gradient.wgsl",
    "parts/key_or_value.wgsl",
    "parts/query_tile.wgsl",
    "parts/spans.wgsl",
];
