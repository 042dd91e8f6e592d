//! A model in memory with its forks, in training or not, loaded from and saved as files by name. Used by the browser.

use crate::course::{Course, json_file};
use crate::encoding::{self, Rendering};
use crate::error::RunError;
use crate::forking::{WantedForks, with_forks};
use crate::model_text::ModelText;
use crate::options::TrainOptions;
use crate::questions::QuestionForm;
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ssft_data::forks::{CoverageGraph, ForkTable};
use ssft_data::words::one_line;
use ssft_model::config::Preset;
use ssft_model::directory::{Files, LoadedModel, TextSide};
use ssft_model::stored::WEIGHTS_FILE;
use ssft_model::{CheckpointError, Decoder, DecoderConfig, Precision, StoredTensors};
use ssft_train::state::{OPTIMIZER_FILE, STATE_FILE};
use std::collections::BTreeMap;

/// Contents by file name.
pub type NamedBytes = BTreeMap<String, Vec<u8>>;

/// Options of a saved training, inside a checkpoint.
const OPTIONS_FILE: &str = "trainer/options.json";
/// Largest model, in bytes, that is kept in memory twice, the second time laid out for decoding: the module has 4 GiB at most.
const MOST_COPIED: u64 = 256 << 20;
/// MiB for the passes of a step where no budget is given.
const DEFAULT_BUDGET: usize = 256;

/// Shape of a new model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewModel {
    /// Built-in shape.
    pub preset: Preset,
    /// Number of forking tokens.
    pub forks: usize,
    /// Longest row, in tokens.
    pub context: usize,
    /// Seed of the weights.
    pub seed: u64,
}

impl Default for NewModel {
    fn default() -> Self {
        Self { preset: Preset::Toy, forks: 6, context: 512, seed: 1 }
    }
}

/// A model in memory.
///
/// ```
/// use burn::tensor::Device;
/// use ssft_run::{TrainOptions, in_memory::{ModelInMemory, NewModel, Weights}};
/// let mut model = ModelInMemory::fresh(&NewModel { context: 128, ..NewModel::default() }, &Device::flex())?;
/// model.train(TrainOptions::default())?;
/// let Weights::Learning(learning) = &mut model.weights else { unreachable!("in training") };
/// let report = pollster::block_on(learning.course.step(&|| 0.0))?;
/// assert_eq!(report.step, 1);
/// assert!(model.files()?.iter().any(|(name, _)| name == "model.safetensors"));
/// # Ok::<(), ssft_run::RunError>(())
/// ```
pub struct ModelInMemory {
    /// Encoder, fork lead and the files that the model came with.
    pub text: ModelText,
    forks: ForkTable,
    /// Type of the numbers in an exported model.
    pub precision: Precision,
    /// The weights, and what trains them.
    pub weights: Weights,
}

/// What a checkpoint of a session holds beside that of a trainer.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    options: Value,
    /// Type of the numbers in an exported model; weights in training are f32.
    precision: Precision,
}

/// Weights, in training or not.
pub enum Weights {
    /// Not in training.
    Fixed(Box<Untrained>),
    /// In training.
    Learning(Box<Learning>),
}

/// A training with the options that it was started with.
pub struct Learning {
    /// The options of the training.
    pub options: TrainOptions,
    /// Model, trainer and questions.
    pub course: Course,
}

/// Weights that are not in training.
pub struct Untrained {
    /// Tracked by autodiff, for a training that may start.
    model: Decoder,
    /// Not tracked, and laid out for decoding if the model is small enough.
    prepared: Decoder,
}

impl ModelInMemory {
    /// A model with random weights that reads bytes.
    ///
    /// # Errors
    /// [`RunError::Model`] if the context has no room for a row.
    pub fn fresh(options: &NewModel, device: &Device) -> Result<Self, RunError> {
        let text = ModelText::bytes(options.forks, options.context)?;
        let forks = text.fork_table(CoverageGraph::default());
        let mut shape = DecoderConfig::preset(options.preset, text.encoder.tokenizer().vocab_size());
        shape.max_position_embeddings = options.context;
        let model = Decoder::init(&shape, options.seed, &device.clone().autodiff());
        Ok(Self { text, forks, precision: Precision::F32, weights: Weights::fixed(model) })
    }

    /// The model of a Hugging Face directory, and the training of a checkpoint. A model without forking tokens is given some.
    ///
    /// # Errors
    /// [`RunError::Model`] names the file that is missing or damaged; the error of `fits`.
    pub fn load<E: From<RunError>>(
        mut files: NamedBytes,
        device: &Device,
        fits: impl Fn(&DecoderConfig) -> Result<(), E>,
    ) -> Result<Self, E> {
        // 1. Everything but the weights.
        let weights = files.remove(WEIGHTS_FILE);
        let side = TextSide::read(&|name| Ok(files.get(name).cloned())).map_err(RunError::model)?;
        let side = with_forks(side, WantedForks { seed: 1, ..WantedForks::default() })?;
        fits(&side.grown_shape())?;
        let weights = weights.ok_or_else(|| RunError::model(missing_weights(&files)))?;
        let encoding = encoding::of_model(&side, &Rendering::of_model(&side), QuestionForm::Text)?;
        let table = side.forks.clone();
        // 2. The weights.
        let stored = StoredTensors::in_memory(WEIGHTS_FILE, weights).map_err(RunError::model)?;
        let LoadedModel { model, precision, side } =
            side.load(&stored, &device.clone().autodiff()).map_err(RunError::model)?;
        let text = ModelText::new(encoding, side.carried);
        let forks = table.unwrap_or_else(|| text.fork_table(CoverageGraph::default()));
        let mut held = Self { text, forks, precision, weights: Weights::fixed(model) };
        // 3. The training, if it is a checkpoint.
        if files.contains_key(STATE_FILE) || files.contains_key(OPTIONS_FILE) {
            held.resume(&mut files)?;
        }
        Ok(held)
    }

    /// Continues a saved training.
    fn resume(&mut self, files: &mut NamedBytes) -> Result<(), RunError> {
        let state = files.remove(STATE_FILE);
        let mut file = |name: &str| {
            let missing = || RunError::state(format!("{name}: is not there; the saved session is not whole"));
            files.remove(name).ok_or_else(missing)
        };
        let saved: Saved = serde_json::from_slice(&file(OPTIONS_FILE)?)
            .map_err(|error| RunError::state(format!("{OPTIONS_FILE}: {}", one_line(&error.to_string()))))?;
        self.train(TrainOptions::read(saved.options)?)?;
        self.precision = saved.precision;
        // Before the first step there is nothing to restore.
        if let (Weights::Learning(learning), Some(state)) = (&mut self.weights, state) {
            let moments =
                StoredTensors::in_memory(OPTIMIZER_FILE, file(OPTIMIZER_FILE)?).map_err(RunError::state)?;
            learning.course.restore(&moments, &state)?;
        }
        Ok(())
    }

    /// Starts a training from the weights as they are, with a new optimizer.
    ///
    /// # Errors
    /// [`RunError::Data`] for questions that cannot be used; the model is then as it was.
    pub fn train(&mut self, options: TrainOptions) -> Result<(), RunError> {
        let split = options.split()?;
        let settings = options.settings.clone();
        let budget = settings.memory_budget.unwrap_or(DEFAULT_BUDGET);
        let course = Course::new(settings, split, &self.text, self.weights.tracked(), budget)?;
        self.forks = self.table();
        self.weights = Weights::Learning(Box::new(Learning { options, course }));
        Ok(())
    }

    /// The weights for decoding.
    pub fn reading(&self) -> Decoder {
        match &self.weights {
            Weights::Fixed(untrained) => untrained.prepared.clone(),
            Weights::Learning(learning) => learning.course.trainer.for_reading(),
        }
    }

    /// The fork table, with the coverage of the training if it has done a step.
    pub fn table(&self) -> ForkTable {
        match &self.weights {
            Weights::Learning(learning) if learning.course.trainer.steps_done() > 0 => {
                self.text.fork_table(learning.course.trainer.coverage().clone())
            }
            _ => self.forks.clone(),
        }
    }

    /// The shape of the model.
    pub fn shape(&self) -> &DecoderConfig {
        match &self.weights {
            Weights::Fixed(untrained) => untrained.model.config(),
            Weights::Learning(learning) => learning.course.trainer.model().config(),
        }
    }

    /// Files of the model's Hugging Face directory, weights of the type that they were loaded in.
    ///
    /// # Errors
    /// [`RunError::Failed`] if the tokenizer cannot be written.
    pub fn files(&self) -> Result<Files, RunError> {
        self.files_as(self.precision)
    }

    /// Files of a checkpoint: the model in f32, and the training if there is one.
    ///
    /// # Errors
    /// As [`ModelInMemory::files`].
    pub fn state_files(&self) -> Result<Files, RunError> {
        match &self.weights {
            Weights::Fixed(_) => self.files_as(Precision::F32),
            Weights::Learning(learning) => {
                Ok(state_files(&self.text, &learning.course, &learning.options, self.precision)?)
            }
        }
    }

    fn files_as(&self, precision: Precision) -> Result<Files, RunError> {
        let model = match &self.weights {
            Weights::Fixed(untrained) => untrained.model.valid(),
            Weights::Learning(learning) => learning.course.trainer.frozen(),
        };
        self.text.files(&model, &self.table(), precision)
    }
}

/// Files of a checkpoint of a training: model in f32, trainer, options.
///
/// # Errors
/// [`RunError::Failed`] if the tokenizer cannot be written.
pub fn state_files(
    text: &ModelText,
    course: &Course,
    options: &TrainOptions,
    precision: Precision,
) -> Result<Files, RunError> {
    let mut files = match course.trainer.steps_done() {
        // No moments yet: a training that starts again.
        0 => course.model_files(text, Precision::F32)?,
        _ => course.checkpoint_files(text)?,
    };
    files.push(json_file(OPTIONS_FILE, &Saved { options: options.to_json(), precision })?);
    Ok(files)
}

fn missing_weights(files: &NamedBytes) -> CheckpointError {
    let what = match files.keys().any(|name| name.ends_with(".safetensors")) {
        true => "is not there; weights in several files cannot be opened here",
        false => "is not there; choose all files of the model's directory",
    };
    CheckpointError::Weights { file: WEIGHTS_FILE.to_owned(), what: what.to_owned() }
}

impl Weights {
    /// Weights that are not in training; `model` is tracked.
    fn fixed(model: Decoder) -> Self {
        let plain = model.valid();
        let small = 4 * model.config().parameters() as u64 <= MOST_COPIED;
        let prepared = if small { plain.prepared() } else { plain };
        Self::Fixed(Box::new(Untrained { model, prepared }))
    }

    /// The weights as autodiff follows them.
    fn tracked(&self) -> Decoder {
        match self {
            Self::Fixed(untrained) => untrained.model.clone(),
            Self::Learning(learning) => learning.course.trainer.model().clone(),
        }
    }
}
