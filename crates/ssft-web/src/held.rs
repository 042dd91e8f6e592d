//! What a session holds: a model with its forks, perhaps in training.

use crate::course::Course;
use crate::error::SessionError;
use crate::options::{ModelOptions, TrainOptions};
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use ssft_data::encode::Encoder;
use ssft_data::forks::{CoverageGraph, ForkLead, ForkTable};
use ssft_data::template::{CHATML_OPENING, Template};
use ssft_data::tokenizer::Tokenizer;
use ssft_model::directory::{Carried, LoadedModel, TextSide};
use ssft_model::directory::{Files, model_files};
use ssft_model::{Decoder, DecoderConfig, Precision, StoredTensors};
use ssft_train::TrainError;
use ssft_train::state::{OPTIMIZER_FILE, STATE_FILE};
use std::collections::BTreeMap;

/// Contents by file name.
pub type NamedBytes = BTreeMap<String, Vec<u8>>;

/// Settings of a training that is saved, inside a checkpoint.
const OPTIONS_FILE: &str = "trainer/options.json";
/// Bytes of a model that is held twice, once laid out for decoding: all memory of the module is at most 4 GiB.
const MOST_COPIED: u64 = 256 << 20;
/// Forks that a model without any is given.
const USUAL_FORKS: usize = 6;

/// A model in memory.
pub struct Held {
    /// Text to ids.
    pub encoder: Encoder,
    lead: ForkLead,
    forks: ForkTable,
    carried: Carried,
    precision: Precision,
    /// The weights, and what trains them.
    pub weights: Weights,
}

/// What a checkpoint of a session holds beside that of a trainer.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    options: TrainOptions,
    /// In which the model is exported; weights in training are `f32`.
    precision: Precision,
}

/// Weights, trained or not.
pub enum Weights {
    /// Left as they are.
    Fixed(Box<Untrained>),
    /// In training.
    Learning(Box<Course>),
}

/// Weights that nobody trains.
pub struct Untrained {
    /// As autodiff would follow them.
    model: Decoder,
    /// The same, laid out for decoding if that is affordable.
    prepared: Decoder,
}

impl Held {
    /// A model with random weights that reads bytes.
    ///
    /// # Errors
    /// [`SessionError::Argument`] for options out of range.
    pub fn fresh(options: &ModelOptions, device: &Device) -> Result<Self, SessionError> {
        options.check()?;
        let tokenizer = Tokenizer::bytes(options.forks)?;
        let lead = ForkLead::bare();
        let forks = ForkTable::new(tokenizer.forks(), lead.clone(), CoverageGraph::default());
        let mut shape = DecoderConfig::preset(options.preset, tokenizer.vocab_size());
        shape.max_position_embeddings = options.context;
        let model = Decoder::init(&shape, options.seed, &device.clone().autodiff());
        let encoder = Encoder::new(tokenizer, Template::plain(), &lead, options.context)?;
        let (carried, precision) = (Carried::default(), Precision::F32);
        Ok(Self { encoder, lead, forks, carried, precision, weights: Weights::fixed(model) })
    }

    /// The model of a Hugging Face directory, and the training of a checkpoint. A model without forking tokens is given some.
    ///
    /// # Errors
    /// [`SessionError::Directory`] and [`SessionError::Checkpoint`] name the file that is missing or damaged.
    pub fn load(
        mut files: NamedBytes,
        device: &Device,
        fits: impl Fn(&DecoderConfig) -> Result<(), SessionError>,
    ) -> Result<Self, SessionError> {
        let weights = files.remove(ssft_model::stored::WEIGHTS_FILE);
        let side = TextSide::read(&|name| Ok(files.get(name).cloned()))?;
        let side = match side.tokenizer.forks().len() {
            0 => side.with_forks(USUAL_FORKS, None, 1)?,
            _ => side,
        };
        fits(&side.grown_shape())?;
        let weights = weights.ok_or_else(|| ssft_model::CheckpointError::Weights {
            file: ssft_model::stored::WEIGHTS_FILE.to_owned(),
            what: match files.keys().any(|name| name.ends_with(".safetensors")) {
                true => "is not there; weights in several files cannot be opened here".to_owned(),
                false => "is not there; choose all files of the model's directory".to_owned(),
            },
        })?;
        let template = match &side.template {
            Some(own) => Template::new(own)?,
            None => Template::plain(),
        };
        let chat = !template.is_plain() && side.tokenizer.token_id(CHATML_OPENING).is_some();
        let lead = match &side.forks {
            Some(table) => table.lead.clone(),
            None if chat => ForkLead::chat(),
            None => ForkLead::bare(),
        };
        let context = side.shape.max_position_embeddings;
        let encoder = Encoder::new(side.tokenizer.clone(), template, &lead, context)?;
        let table = side.forks.clone();
        let untrained =
            || ForkTable::new(encoder.tokenizer().forks(), lead.clone(), CoverageGraph::default());
        let forks = table.unwrap_or_else(untrained);
        let stored = StoredTensors::in_memory(ssft_model::stored::WEIGHTS_FILE, weights)?;
        let LoadedModel { model, precision, side } = side.load(&stored, &device.clone().autodiff())?;
        let carried = side.carried;
        let mut held = Self { encoder, lead, forks, carried, precision, weights: Weights::fixed(model) };
        if files.contains_key(STATE_FILE) || files.contains_key(OPTIONS_FILE) {
            held.resume(&mut files)?;
        }
        Ok(held)
    }

    /// Goes on with a training that was saved.
    fn resume(&mut self, files: &mut NamedBytes) -> Result<(), SessionError> {
        let state = files.remove(STATE_FILE);
        let mut file = |name: &str| {
            files.remove(name).ok_or_else(|| ssft_model::CheckpointError::Weights {
                file: name.to_owned(),
                what: "is not there; the saved session is not whole".to_owned(),
            })
        };
        let saved: Saved = serde_json::from_slice(&file(OPTIONS_FILE)?).map_err(|error| {
            SessionError::Argument { call: "loadModel", what: format!("{OPTIONS_FILE}: {error}") }
        })?;
        self.train(saved.options)?;
        self.precision = saved.precision;
        // Before the first step there is nothing to restore.
        if let (Weights::Learning(course), Some(state)) = (&mut self.weights, state) {
            let moments = StoredTensors::in_memory(OPTIMIZER_FILE, file(OPTIMIZER_FILE)?)?;
            course.trainer.restore(&moments, &state)?;
        }
        Ok(())
    }

    /// Starts a training from the weights as they are, with a new optimizer.
    ///
    /// # Errors
    /// [`SessionError::Argument`] for options out of range, [`SessionError::Data`] for questions that cannot be used; the
    /// session is then as it was.
    pub fn train(&mut self, options: TrainOptions) -> Result<(), SessionError> {
        let course = Course::new(options, &self.encoder, self.weights.tracked())?;
        self.forks = self.table();
        self.weights = Weights::Learning(Box::new(course));
        Ok(())
    }

    /// The weights for decoding.
    pub fn reading(&self) -> Decoder {
        match &self.weights {
            Weights::Fixed(untrained) => untrained.prepared.clone(),
            Weights::Learning(course) => course.trainer.for_reading(),
        }
    }

    /// What is known about the forks by now.
    pub fn table(&self) -> ForkTable {
        match &self.weights {
            Weights::Learning(course) if course.trainer.steps_done() > 0 => {
                let ids = self.encoder.tokenizer().forks();
                ForkTable::new(ids, self.lead.clone(), course.trainer.coverage().clone())
            }
            _ => self.forks.clone(),
        }
    }

    /// The shape of the model.
    pub fn shape(&self) -> &DecoderConfig {
        match &self.weights {
            Weights::Fixed(untrained) => untrained.model.config(),
            Weights::Learning(course) => course.trainer.model().config(),
        }
    }

    /// The files of its Hugging Face directory, weights stored as they came.
    ///
    /// # Errors
    /// [`SessionError::Train`] if the tokenizer cannot be written.
    pub fn files(&self) -> Result<Files, SessionError> {
        self.files_as(self.precision)
    }

    /// The files of a checkpoint: the directory with weights as they are trained, and the training if there is one.
    ///
    /// # Errors
    /// As [`Held::files`].
    pub fn state_files(&self) -> Result<Files, SessionError> {
        let mut files = self.files_as(Precision::F32)?;
        if let Weights::Learning(course) = &self.weights {
            if course.trainer.steps_done() > 0 {
                files.extend(course.trainer.state_files()?);
            }
            let saved = Saved { options: course.options.clone(), precision: self.precision };
            let saved = serde_json::to_vec(&saved);
            let saved = saved.map_err(|error| TrainError::State { what: error.to_string() })?;
            files.push((OPTIONS_FILE.to_owned(), ssft_model::directory::Content::Bytes(saved)));
        }
        Ok(files)
    }

    fn files_as(&self, precision: Precision) -> Result<Files, SessionError> {
        let model = match &self.weights {
            Weights::Fixed(untrained) => untrained.model.valid(),
            Weights::Learning(course) => course.trainer.frozen(),
        };
        Ok(model_files(&model, &self.encoder, &self.table(), &self.carried, precision)?)
    }
}

impl Weights {
    /// Weights that nobody trains; `model` is tracked.
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
            Self::Learning(course) => course.trainer.model().clone(),
        }
    }
}
