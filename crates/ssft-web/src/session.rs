//! The interface: one class, and a few functions beside it.

#![allow(
    clippy::await_holding_refcell_ref,
    reason = "the reference is the lock: a call that comes while another waits is refused by `Session::held`"
)]

use crate::breath::Breath;
use crate::device::{Choice, Opened, check_fits};
use crate::error::SessionError;
use crate::failures;
use crate::held::Held;
use crate::javascript::{heard, named_bytes, named_files, read, records, rethrow, to_js};
use crate::listener::{Listener, train_held};
use crate::maze::{Drawn, Trail};
use crate::options::{EvaluateOptions, GenerateOptions, LoopOptions, check_new_model};
use crate::step_line::Recent;
use crate::stopped::Stopped;
use js_sys::{Function, Object};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ssft_data::forks::ForkTable;
use ssft_decode::answer::Judge;
use ssft_decode::fork::{Finish, Piece};
use ssft_decode::generation::{Request, generate};
use ssft_model::directory::Files;
use ssft_run::course::encode;
use ssft_run::in_memory::{Learning, ModelInMemory, NewModel, Weights};
use ssft_run::{DecodeRows, RunError, TrainOptions};
use std::cell::{RefCell, RefMut};
use wasm_bindgen::prelude::*;
use web_time::Instant;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("session.d.ts");

/// Rows decoded together in an evaluation.
const DECODE_ROWS: DecodeRows = DecodeRows(96);

/// A device with a model on it.
///
/// Calls are answered one after the other: a call made while another is pending is rejected, except `device` and
/// `deviceBytes`. Errors are `Error` objects whose `cause` goes down to the bottom. A trap of the module (memory exhausted)
/// cannot be caught: the pending promise never settles, and the worker's `error` event tells.
#[wasm_bindgen]
pub struct Session {
    device: Opened,
    held: RefCell<Option<Held>>,
}

/// Of `Session.create`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CreateOptions {
    /// Where to compute.
    device: Choice,
}

/// What a session holds, for people.
#[derive(Debug, Serialize)]
struct ModelInfo {
    parameters: usize,
    vocabulary: usize,
    context: usize,
    forks: ForkTable,
    training: Option<TrainingInfo>,
}

/// How far a training is.
#[derive(Debug, Serialize)]
struct TrainingInfo {
    options: Value,
    steps_done: usize,
    questions: usize,
    held_out: usize,
}

/// News of a row.
#[derive(Debug, Serialize)]
struct PieceNews<'a> {
    fork: usize,
    token: u32,
    text: &'a str,
    finish: Option<Finish>,
}

#[wasm_bindgen]
impl Session {
    /// Starts a device and tests it; `options.device` is `"auto"`, `"webgpu"` or `"cpu"`.
    ///
    /// # Errors
    /// [`SessionError::Device`], [`SessionError::SelfTest`] where WebGPU is insisted on.
    #[wasm_bindgen(unchecked_return_type = "Session")]
    pub async fn create(
        #[wasm_bindgen(unchecked_optional_param_type = "CreateOptions")] options: JsValue,
    ) -> Result<Self, JsValue> {
        failures::watch();
        let created = async {
            let options: CreateOptions = read("create", options)?;
            Ok::<_, Stopped>(Self { device: options.device.open().await?, held: RefCell::new(None) })
        };
        Ok(created.await?)
    }

    /// What it computes on.
    #[wasm_bindgen(getter, unchecked_return_type = "DeviceInfo")]
    pub fn device(&self) -> Result<JsValue, JsValue> {
        to_js(&self.device)
    }

    /// Bytes that the device's buffers take; nothing on the CPU, where the module's own memory tells.
    #[wasm_bindgen(js_name = deviceBytes)]
    pub fn device_bytes(&self) -> Option<f64> {
        ssft_kernels::memory::reserved_bytes(&self.device.device).map(|bytes| bytes as f64)
    }

    /// Opens a model: the files of a Hugging Face directory by name, or those of `exportState`.
    ///
    /// # Errors
    /// [`SessionError::Directory`], [`SessionError::Checkpoint`]; what was there before stays.
    #[wasm_bindgen(js_name = loadModel, unchecked_return_type = "ModelInfo")]
    pub async fn load_model(
        &self,
        #[wasm_bindgen(unchecked_param_type = "ModelFiles")] files: JsValue,
    ) -> Result<JsValue, JsValue> {
        let loaded = async {
            let files = named_bytes(&files)?;
            let mut held = self.held()?;
            let loaded =
                ModelInMemory::load(files, &self.device.device, |shape| check_fits(&self.device, shape))?;
            self.device.check()?;
            Ok::<_, Stopped>(info(&held.insert(Held::new(loaded)).model))
        };
        to_js(&loaded.await?)
    }

    /// Makes a model with random weights that reads bytes.
    ///
    /// # Errors
    /// [`SessionError::Argument`].
    #[wasm_bindgen(js_name = newModel, unchecked_return_type = "ModelInfo")]
    pub async fn new_model(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "ModelOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let made = || {
            let options: NewModel = read("newModel", options)?;
            check_new_model(&options)?;
            let fresh = ModelInMemory::fresh(&options, &self.device.device)?;
            Ok::<_, Stopped>(info(&self.held()?.insert(Held::new(fresh)).model))
        };
        to_js(&made()?)
    }

    /// What it holds; nothing without a model.
    #[wasm_bindgen(js_name = modelInfo, unchecked_return_type = "ModelInfo | null")]
    pub fn model_info(&self) -> Result<JsValue, JsValue> {
        let held = self.held.try_borrow().map_err(|_| Stopped::Failed(SessionError::Busy))?;
        to_js(&held.as_ref().map(|held| info(&held.model)))
    }

    /// Lets the forks answer a prompt side by side; `onPiece` hears every token and may return `false` to end it.
    ///
    /// # Errors
    /// [`SessionError`]; what `onPiece` throws.
    #[wasm_bindgen(unchecked_return_type = "Generation")]
    pub async fn generate(
        &self,
        prompt: String,
        #[wasm_bindgen(unchecked_optional_param_type = "GenerateOptions")] options: JsValue,
        #[wasm_bindgen(js_name = "onPiece", unchecked_optional_param_type = "(piece: Piece) => unknown")]
        on_piece: Option<Function>,
    ) -> Result<JsValue, JsValue> {
        let said = async {
            let options: GenerateOptions = read("generate", options)?;
            let held = self.held()?;
            let held = &held.as_ref().ok_or(SessionError::NoModel)?.model;
            let forks = options.choice()?.forks(&held.table())?;
            let prompt_tokens = held.text.encoder.prompt_text("the prompt", &prompt)?;
            let request = Request {
                prompt,
                sampling: options.sampling()?,
                stop: options.stop.clone(),
                max_tokens: options.max_tokens,
                judge: judge(&options, held)?,
                seed: options.seed,
                forks: forks.clone(),
            };
            let (mut breath, mut thrown) = (Breath::new(), None);
            let listen = async |piece: Piece<'_>| {
                breath.take().await;
                let Piece { row, token, text, finish, .. } = piece;
                let news = PieceNews { fork: forks[row] + 1, token, text, finish };
                heard(on_piece.as_ref(), &news, &mut thrown).await
            };
            let said = generate(&held.reading(), &held.text.encoder, prompt_tokens, &request, listen).await?;
            self.device.check()?;
            rethrow(thrown)?;
            Ok::<_, Stopped>(said)
        };
        to_js(&said.await?)
    }

    /// Starts a training of the model from its weights as they are.
    ///
    /// # Errors
    /// [`SessionError::Argument`], [`SessionError::Data`]; the session is then as it was.
    #[wasm_bindgen(js_name = startTraining, unchecked_return_type = "ModelInfo")]
    pub async fn start_training(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "TrainOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let started = || {
            let options = train_options("startTraining", options)?;
            let mut held = self.held()?;
            let held = held.as_mut().ok_or(SessionError::NoModel)?;
            held.model.train(options).map_err(|error| SessionError::of_call("startTraining", error))?;
            held.recent = Recent::default();
            Ok::<_, Stopped>(info(&held.model))
        };
        to_js(&started()?)
    }

    /// One optimizer step, on `batch` (records as in a data file) or else the next questions of the training: the line of
    /// `metrics.jsonl`, with the cost matrix and the matching of each of its questions from before the update.
    ///
    /// # Errors
    /// [`SessionError`]; the weights are then those from before the step.
    #[wasm_bindgen(js_name = trainStep, unchecked_return_type = "StepReport")]
    pub async fn train_step(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "DataRecord[]")] batch: JsValue,
    ) -> Result<JsValue, JsValue> {
        let done = async {
            let batch = match batch.is_undefined() || batch.is_null() {
                true => None,
                false => Some(records(&batch)?),
            };
            let mut held = self.held()?;
            let held = held.as_mut().ok_or(SessionError::NoModel)?;
            let encoder = &held.model.text.encoder;
            let batch = batch.map(|batch| encode(encoder, &batch).map_err(SessionError::from)).transpose()?;
            let (Learning { course, .. }, recent) = held.learning()?;
            let clock = clock();
            let (probes, report) = match &batch {
                Some(batch) => {
                    let asked: Vec<_> = batch.iter().collect();
                    let probes = course.trainer.probe(&asked).await.map_err(RunError::from)?;
                    (probes, course.step_on(batch, &clock).await?)
                }
                None => (course.probe_next().await?, course.step(&clock).await?),
            };
            let line = recent.line(course, batch.as_deref().unwrap_or_default(), &report, Some(&probes));
            self.device.check()?;
            Ok::<_, Stopped>(to_js(&line).map_err(Stopped::Thrown)?)
        };
        Ok(done.await?)
    }

    /// Trains until the last step, for at most `options.steps`, or until `onStep`, which hears every step, returns `false`; returns the
    /// number of steps done in all. `onState` gets what `exportState` would give: after the first step, every
    /// `options.save_every_s` seconds and at the end.
    ///
    /// # Errors
    /// [`SessionError`], with the steps before intact; what a callback throws.
    pub async fn train(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "LoopOptions")] options: JsValue,
        #[wasm_bindgen(
            js_name = "onStep",
            unchecked_optional_param_type = "(report: StepReport) => unknown"
        )]
        on_step: Option<Function>,
        #[wasm_bindgen(
            js_name = "onState",
            unchecked_optional_param_type = "(files: ModelFiles) => unknown"
        )]
        on_state: Option<Function>,
    ) -> Result<usize, JsValue> {
        let trained = async {
            let options: LoopOptions = read("train", options)?;
            options.check()?;
            let mut held = self.held()?;
            let mut listener = Listener::new(&self.device, &options, on_step, on_state);
            train_held(held.as_mut().ok_or(SessionError::NoModel)?, &options, &mut listener).await
        };
        Ok(trained.await?)
    }

    /// Asks every fork the held-out questions of the training and scores the answers.
    ///
    /// # Errors
    /// [`SessionError`]; [`SessionError::NothingHeldOut`] for a training on data of one's own.
    #[wasm_bindgen(unchecked_return_type = "Evaluation")]
    pub async fn evaluate(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "EvaluateOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let scored = async {
            let options: EvaluateOptions = read("evaluate", options)?;
            options.check()?;
            let held = self.held()?;
            let held = &held.as_ref().ok_or(SessionError::NoModel)?.model;
            let Weights::Learning(learning) = &held.weights else { Err(SessionError::NoTraining)? };
            let evaluation = learning.course.evaluate(&held.text, options.questions, DECODE_ROWS).await?;
            self.device.check()?;
            Ok::<_, Stopped>(evaluation.ok_or(SessionError::NothingHeldOut)?)
        };
        to_js(&scored.await?)
    }

    /// The model as the files of a Hugging Face directory that `transformers` opens.
    ///
    /// # Errors
    /// [`SessionError::Checkpoint`] if a weight is not a number or the device does not answer.
    #[wasm_bindgen(js_name = exportModel, unchecked_return_type = "ModelFiles")]
    pub async fn export_model(&self) -> Result<Object, JsValue> {
        Ok(self.export(ModelInMemory::files).await?)
    }

    /// Model and training, for `loadModel` to go on from as if nothing had happened.
    ///
    /// # Errors
    /// As `exportModel`.
    #[wasm_bindgen(js_name = exportState, unchecked_return_type = "ModelFiles")]
    pub async fn export_state(&self) -> Result<Object, JsValue> {
        Ok(self.export(ModelInMemory::state_files).await?)
    }
}

impl Session {
    /// What it holds, for this call alone.
    fn held(&self) -> Result<RefMut<'_, Option<Held>>, SessionError> {
        self.device.check()?;
        self.held.try_borrow_mut().map_err(|_| SessionError::Busy)
    }

    async fn export(
        &self,
        contents: impl Fn(&ModelInMemory) -> Result<Files, RunError>,
    ) -> Result<Object, Stopped> {
        let held = self.held()?;
        let files = named_files(&contents(&held.as_ref().ok_or(SessionError::NoModel)?.model)?).await?;
        self.device.check()?;
        Ok(files)
    }
}

/// Questions of a built-in task: `{train, test}`, as in its data files.
///
/// # Errors
/// [`SessionError::Argument`].
#[wasm_bindgen(unchecked_return_type = "{train: DataRecord[], test: DataRecord[]}")]
pub fn questions(
    #[wasm_bindgen(unchecked_optional_param_type = "TaskOptions")] options: JsValue,
) -> Result<JsValue, JsValue> {
    #[derive(Serialize)]
    struct Made {
        train: Vec<ssft_data::record::Record>,
        test: Vec<ssft_data::record::Record>,
    }
    let made = || {
        let split = train_options("questions", options)?;
        let split = split.split().map_err(|error| SessionError::of_call("questions", error))?;
        Ok::<_, Stopped>(Made { train: split.train, test: split.held_out })
    };
    to_js(&made()?)
}

/// The maze that a question spells, to be drawn; `null` if it spells none.
#[wasm_bindgen(js_name = drawMaze, unchecked_return_type = "Maze | null")]
pub fn draw_maze(question: &str) -> Result<JsValue, JsValue> {
    to_js(&Drawn::new(question))
}

/// Where a text, finished or not, goes in the maze of a question; `null` if that spells none.
#[wasm_bindgen(js_name = mazeTrail, unchecked_return_type = "Trail | null")]
pub fn maze_trail(question: &str, text: &str) -> Result<JsValue, JsValue> {
    to_js(&Trail::new(question, text))
}

/// Milliseconds since now.
fn clock() -> impl Fn() -> f64 {
    let started = Instant::now();
    move || started.elapsed().as_secs_f64() * 1e3
}

/// Options of a training, given to `call`.
fn train_options(call: &'static str, options: JsValue) -> Result<TrainOptions, SessionError> {
    let options: Option<Value> = read(call, options)?;
    let options = options.unwrap_or_else(|| Value::Object(Map::new()));
    TrainOptions::read(options).map_err(|error| SessionError::of_call(call, error))
}

/// The judge of an answer: the task that the options name, that of the training, or the form of answers.
fn judge(options: &GenerateOptions, held: &ModelInMemory) -> Result<Judge, SessionError> {
    let named = options.judge()?;
    Ok(named.unwrap_or(match &held.weights {
        Weights::Learning(learning) => learning.course.judge,
        Weights::Fixed(_) => Judge::Reference(options.answers),
    }))
}

fn info(held: &ModelInMemory) -> ModelInfo {
    let shape = held.shape();
    let training = match &held.weights {
        Weights::Fixed(_) => None,
        Weights::Learning(learning) => Some(TrainingInfo {
            options: learning.options.to_json(),
            steps_done: learning.course.trainer.steps_done(),
            questions: learning.course.questions.len(),
            held_out: learning.course.held_out.len(),
        }),
    };
    ModelInfo {
        parameters: shape.parameters(),
        vocabulary: shape.vocab_size,
        context: shape.max_position_embeddings,
        forks: held.table(),
        training,
    }
}
