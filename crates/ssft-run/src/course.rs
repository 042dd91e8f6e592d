//! A model in training together with what it is trained on. No files and no clock: faces bring both.

use crate::error::RunError;
use crate::model_text::ModelText;
use crate::questions::{QuestionForm, Split};
use crate::settings::Settings;
use serde::Serialize;
use ssft_data::dataset::check_forks;
use ssft_data::encode::{EncodedQuestion, Encoder};
use ssft_data::record::Record;
use ssft_decode::{Evaluation, Judge, evaluate::Protocol, evaluate::evaluate};
use ssft_model::directory::{Content, Files};
use ssft_model::{Decoder, Precision, StoredTensors};
use ssft_train::probe::Probe;
use ssft_train::{StepReport, Trainer};

pub use ssft_train::Clock;

/// A model in training.
///
/// ```
/// use burn::tensor::Device;
/// use ssft_model::{Decoder, DecoderConfig, config::Preset};
/// use ssft_run::{Course, ModelText, Split, settings::Settings};
///
/// let settings = Settings { train_questions: 20, eval_questions: 2, steps: Some(2), ..Settings::default() };
/// let text = ModelText::bytes(6, 128)?;
/// let shape = DecoderConfig::preset(Preset::Toy, text.encoder.tokenizer().vocab_size());
/// let model = Decoder::init(&shape, 1, &Device::flex().autodiff());
/// let mut course = Course::new(settings.clone(), Split::of_task(&settings)?, &text, model, 64)?;
/// while !course.is_done() {
///     let report = pollster::block_on(course.step(&|| 0.0))?;
///     println!("step {}: loss {:.2}", report.step, report.loss);
/// }
/// assert_eq!(course.trainer.steps_done(), 2);
/// # Ok::<(), ssft_run::RunError>(())
/// ```
#[derive(Debug)]
pub struct Course {
    /// Settings of the run.
    pub settings: Settings,
    /// Weights, optimizer and number of steps done.
    pub trainer: Trainer,
    /// Training questions as token ids.
    pub questions: Vec<EncodedQuestion>,
    /// Held-out questions.
    pub held_out: Vec<Record>,
    /// Decides whether an answer to a held-out question is correct.
    pub judge: Judge,
    /// Number of optimizer steps of the whole run.
    pub steps: usize,
}

/// Rows decoded together in an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeRows(pub usize);

impl Course {
    /// A course that starts from the current weights of `model`, which is on an autodiff device. `memory_budget` is in MiB.
    ///
    /// # Errors
    /// [`RunError::Data`] for questions that do not fit the model's context or forks, or chats without a template.
    pub fn new(
        settings: Settings,
        split: Split,
        text: &ModelText,
        model: Decoder,
        memory_budget: usize,
    ) -> Result<Self, RunError> {
        let Split { train, held_out, judge } = split;
        let questions = encode(&text.encoder, &train)?;
        // Held-out questions are checked now, not after an hour of training.
        encode(&text.encoder, &held_out)?;
        Ok(Self::encoded(
            settings,
            Questions { train: questions, held_out, judge },
            text,
            model,
            memory_budget,
        ))
    }

    /// As [`Course::new`], for questions that are encoded already.
    pub fn encoded(
        settings: Settings,
        questions: Questions,
        text: &ModelText,
        model: Decoder,
        memory_budget: usize,
    ) -> Self {
        let Questions { train, held_out, judge } = questions;
        let steps = settings.total_steps(train.len());
        let trainer = Trainer::new(model, text.leads(), &train, settings.trainer(steps, memory_budget));
        Self { settings, trainer, questions: train, held_out, judge, steps }
    }

    /// One optimizer step on the next questions.
    ///
    /// # Errors
    /// [`RunError::Train`]; the weights are then those from before the step.
    pub async fn step(&mut self, clock: Clock<'_>) -> Result<StepReport, RunError> {
        Ok(self.trainer.step(&self.questions, clock).await?)
    }

    /// One optimizer step on `batch` instead of the next questions.
    ///
    /// # Errors
    /// As [`Course::step`].
    pub async fn step_on(
        &mut self,
        batch: &[EncodedQuestion],
        clock: Clock<'_>,
    ) -> Result<StepReport, RunError> {
        let asked: Vec<&EncodedQuestion> = batch.iter().collect();
        let batches: Vec<&[&EncodedQuestion]> = asked.chunks(self.settings.batch_questions).collect();
        Ok(self.trainer.step_on(&batches, clock).await?)
    }

    /// Cost matrices and optimal matchings of the questions of the next step under the present weights.
    ///
    /// # Errors
    /// [`RunError::Train`] if a readback fails or a cost is not finite.
    pub async fn probe_next(&mut self) -> Result<Vec<Probe>, RunError> {
        let next: Vec<&EncodedQuestion> =
            self.trainer.upcoming().into_iter().map(|index| &self.questions[index]).collect();
        Ok(self.trainer.probe(&next).await?)
    }

    /// Cost matrices and optimal matchings of the first `count` training questions under the present weights.
    ///
    /// # Errors
    /// As [`Course::probe_next`].
    pub async fn probe_first(&self, count: usize) -> Result<Vec<Probe>, RunError> {
        let first: Vec<&EncodedQuestion> = self.questions.iter().take(count).collect();
        Ok(self.trainer.probe(&first).await?)
    }

    /// Greedy answers of every trained fork to at most `most` held-out questions, scored; nothing if none is held out.
    ///
    /// # Errors
    /// [`RunError::Decode`] if the device fails or the model's output is not finite.
    pub async fn evaluate(
        &self,
        text: &ModelText,
        most: usize,
        rows: DecodeRows,
    ) -> Result<Option<Evaluation>, RunError> {
        let asked = &self.held_out[..self.held_out.len().min(most)];
        if asked.is_empty() {
            return Ok(None);
        }
        let model = self.trainer.for_reading();
        let protocol = self.protocol(text, rows);
        Ok(Some(evaluate(&model, &text.encoder, asked, &protocol, |_| ()).await?))
    }

    /// How [`Course::evaluate`] asks: greedily, every trained fork.
    pub fn protocol(&self, text: &ModelText, rows: DecodeRows) -> Protocol {
        let coverage = self.trainer.coverage();
        Protocol::greedy(coverage, &self.questions, &text.encoder, rows.0, self.judge, self.settings.seed)
    }

    /// True after the last step.
    pub fn is_done(&self) -> bool {
        self.trainer.steps_done() >= self.steps
    }

    /// Files of the trained model, weights stored as `precision`.
    ///
    /// # Errors
    /// [`RunError::Failed`] if the tokenizer cannot be written.
    pub fn model_files(&self, text: &ModelText, precision: Precision) -> Result<Files, RunError> {
        let forks = text.fork_table(self.trainer.coverage().clone());
        text.files(&self.trainer.frozen(), &forks, precision)
    }

    /// Files of a checkpoint: the model in f32, whatever type the final model gets, and the state of the trainer.
    ///
    /// # Errors
    /// As [`Course::model_files`].
    pub fn checkpoint_files(&self, text: &ModelText) -> Result<Files, RunError> {
        let mut files = self.model_files(text, Precision::F32)?;
        files.extend(self.trainer.state_files()?);
        Ok(files)
    }

    /// Continues from the trainer's part of a checkpoint whose model this course was made with.
    ///
    /// # Errors
    /// [`RunError::Train`] if it is damaged or belongs to other settings.
    pub fn restore(&mut self, optimizer: &StoredTensors, state: &[u8]) -> Result<(), RunError> {
        Ok(self.trainer.restore(optimizer, state)?)
    }
}

/// Questions of a run, encoded.
#[derive(Debug)]
pub struct Questions {
    /// Training questions as token ids.
    pub train: Vec<EncodedQuestion>,
    /// Held-out questions.
    pub held_out: Vec<Record>,
    /// Decides whether an answer is correct.
    pub judge: Judge,
}

/// Records as a trainer takes them.
///
/// # Errors
/// [`RunError::Data`] for rows that are too long, more traces than forks, or chats without a template.
pub fn encode(encoder: &Encoder, records: &[Record]) -> Result<Vec<EncodedQuestion>, RunError> {
    check_forks(records, encoder.tokenizer().forks().len()).map_err(RunError::data)?;
    // Joined without roles, a chat would be another text than the one that the model was trained on.
    if encoder.template().is_plain() && QuestionForm::of(records) == QuestionForm::Chat {
        return Err(RunError::data(
            "the model has no chat template, but there are chats (\"messages\"); give questions as plain text",
        ));
    }
    encoder.encode_all(records).map_err(RunError::data)
}

/// A small file of a checkpoint, as JSON.
///
/// # Errors
/// [`RunError::Failed`] if the value has no JSON.
pub fn json_file(name: &str, value: &impl Serialize) -> Result<(String, Content), RunError> {
    let bytes = serde_json::to_vec(value).map_err(RunError::failed)?;
    Ok((name.to_owned(), Content::Bytes(bytes)))
}
