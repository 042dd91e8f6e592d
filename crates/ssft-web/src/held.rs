//! What a session holds: a model with its forks, perhaps in training.

use crate::error::SessionError;
use crate::options::{ModelOptions, TrainOptions};
use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;
use ssft_data::dataset::{Limits, check_forks, parse_records};
use ssft_data::encode::{EncodedQuestion, Encoder};
use ssft_data::forks::{CoverageGraph, ForkLead, ForkTable};
use ssft_data::record::Record;
use ssft_data::template::Template;
use ssft_data::tokenizer::Tokenizer;
use ssft_model::directory::{Carried, LoadedModel, TextSide};
use ssft_model::{Decoder, DecoderConfig, Precision, StoredTensors};
use ssft_train::StepReport;
use ssft_train::Trainer;
use ssft_train::directory::{Files, model_files};
use ssft_train::probe::Probe;
use ssft_train::state::{OPTIMIZER_FILE, STATE_FILE};
use std::collections::{BTreeMap, VecDeque};
use web_time::Instant;

/// Contents by file name.
pub type NamedBytes = BTreeMap<String, Vec<u8>>;

/// Settings of a training that is saved, inside a checkpoint.
const OPTIONS_FILE: &str = "trainer/options.json";
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

/// A training under way.
pub struct Course {
    /// Its settings.
    pub options: TrainOptions,
    /// Weights and optimizer.
    pub trainer: Trainer,
    /// What it learns from.
    pub questions: Vec<EncodedQuestion>,
    /// What it does not.
    pub held_out: Vec<Record>,
    /// Forks, from 0, and sources that were matched lately, question by question.
    recent: VecDeque<Vec<(usize, String)>>,
}

/// Bytes of a model that is held twice, once laid out for decoding: all memory of the module is at most 4 GiB.
const MOST_COPIED: usize = 256 << 20;
/// Questions whose matches are shown as they come.
const RECENT: usize = 64;

impl Course {
    /// One step on `batch`, or on what comes next; with the cost matrices of its questions, if `looks`.
    ///
    /// # Errors
    /// [`SessionError::Train`]; the weights are then what they were.
    pub async fn step(
        &mut self,
        batch: Option<&[EncodedQuestion]>,
        looks: bool,
    ) -> Result<StepLine, SessionError> {
        let (trainer, questions) = (&mut self.trainer, &self.questions);
        let asked: Vec<&EncodedQuestion> = match batch {
            Some(batch) => batch.iter().collect(),
            None => trainer.upcoming().into_iter().map(|index| &questions[index]).collect(),
        };
        let probe = if looks { Some(trainer.probe(&asked).await?) } else { None };
        let started = Instant::now();
        let clock = move || started.elapsed().as_secs_f64() * 1e3;
        let batches: Vec<&[&EncodedQuestion]> = asked.chunks(self.options.batch_questions).collect();
        let report = trainer.step_on(&batches, &clock).await?;
        for (question, matched) in asked.iter().zip(&report.matches) {
            let sources = question.traces.iter().map(|trace| trace.source.clone());
            self.recent.push_back(matched.forks.iter().map(|fork| fork - 1).zip(sources).collect());
        }
        self.recent.drain(..self.recent.len().saturating_sub(RECENT));
        Ok(StepLine { report, probe, recent: self.recent() })
    }

    /// What was matched with what lately.
    fn recent(&self) -> CoverageGraph {
        let mut graph = CoverageGraph::new(self.trainer.coverage().counts.len());
        for (fork, source) in self.recent.iter().flatten() {
            graph.record(*fork, source);
        }
        graph
    }
}

/// A line of `metrics.jsonl`, with more to look at.
#[derive(Debug, Serialize)]
pub struct StepLine {
    #[serde(flatten)]
    report: StepReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<Vec<Probe>>,
    recent: CoverageGraph,
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
            what: "is not there; choose all files of the model's directory".to_owned(),
        })?;
        let template = match &side.template {
            Some(own) => Template::new(own)?,
            None => Template::plain(),
        };
        let lead = side.forks.as_ref().map_or_else(ForkLead::bare, |table| table.lead.clone());
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
        if let Some(state) = files.remove(STATE_FILE) {
            held.resume(&state, &mut files)?;
        }
        Ok(held)
    }

    /// Goes on with a training that was saved.
    fn resume(&mut self, state: &[u8], files: &mut NamedBytes) -> Result<(), SessionError> {
        let mut file = |name: &str| {
            files.remove(name).ok_or_else(|| ssft_model::CheckpointError::Weights {
                file: name.to_owned(),
                what: "is not there; the saved session is not whole".to_owned(),
            })
        };
        let (options, moments) = (file(OPTIONS_FILE)?, file(OPTIMIZER_FILE)?);
        let options: TrainOptions = serde_json::from_slice(&options).map_err(|error| {
            SessionError::Argument { call: "loadModel", what: format!("{OPTIONS_FILE}: {error}") }
        })?;
        self.train(options)?;
        let moments = StoredTensors::in_memory(OPTIMIZER_FILE, moments)?;
        if let Weights::Learning(course) = &mut self.weights {
            course.trainer.restore(&moments, state)?;
        }
        Ok(())
    }

    /// Starts a training from the weights as they are, with a new optimizer.
    ///
    /// # Errors
    /// [`SessionError::Argument`] for options out of range, [`SessionError::Data`] for questions that cannot be used; the
    /// session is then as it was.
    pub fn train(&mut self, options: TrainOptions) -> Result<(), SessionError> {
        options.check()?;
        let (records, held_out) = questions(&options)?;
        let forks = self.encoder.tokenizer().forks().len();
        check_forks(&records, forks)?;
        let questions = self.encoder.encode_all(&records)?;
        self.encoder.encode_all(&held_out)?;
        let leads = (0..forks).map(|fork| self.encoder.lead(fork)).collect();
        let model = self.weights.tracked();
        let trainer = Trainer::new(model, leads, &questions, options.settings());
        self.weights = Weights::Learning(Box::new(Course {
            options,
            trainer,
            questions,
            held_out,
            recent: VecDeque::new(),
        }));
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
        if let Weights::Learning(course) = &self.weights
            && course.trainer.steps_done() > 0
        {
            files.extend(course.trainer.state_files()?);
            let options = serde_json::to_vec(&course.options).unwrap_or_default();
            files.push((OPTIONS_FILE.to_owned(), ssft_train::directory::Content::Bytes(options)));
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
        let small = 4 * model.config().parameters() <= MOST_COPIED;
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

/// Questions to learn from and those held out.
fn questions(options: &TrainOptions) -> Result<(Vec<Record>, Vec<Record>), SessionError> {
    if let Some(data) = &options.data {
        let records = parse_records("data", data.as_bytes(), &Limits::default())?;
        return Ok((records, Vec::new()));
    }
    let task = crate::options::task("startTraining", &options.task)?;
    let made = task.make(&options.task().spec());
    let made =
        made.map_err(|error| SessionError::Argument { call: "startTraining", what: error.to_string() })?;
    Ok((made.train, made.test))
}
