//! Interface for JavaScript: the class `Session`, and functions that need no session.

#![allow(
    clippy::await_holding_refcell_ref,
    reason = "the reference is the lock: a call that comes while another waits is refused by `Session::held`"
)]

use crate::device::{Choice, Opened, check_fits};
use crate::error::SessionError;
use crate::failures;
use crate::held::Held;
use crate::javascript::{heard, named_bytes, named_files, read, records, rethrow, to_js};
use crate::listener::{Listener, train_held};
use crate::maze::{Drawn, Trail};
use crate::options::{
    EvaluateOptions, GenerateOptions, LoopOptions, check_new_model, question_options, train_options,
};
use crate::step_line::Recent;
use crate::stopped::Stopped;
use crate::turns::Turns;
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
use ssft_run::{DecodeRows, RunError};
use std::cell::{RefCell, RefMut};
use wasm_bindgen::prelude::*;
use web_time::Instant;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("session.d.ts");

/// Number of rows decoded together in an evaluation.
const DECODE_ROWS: DecodeRows = DecodeRows(96);

/// A device, and a model on it.
///
/// One call runs at a time: a call made while another is pending is rejected, except `device` and `deviceBytes`. Errors are
/// `Error` objects with the chain of causes in `cause`. A trap of the module (memory exhausted) cannot be caught: the pending
/// promise never settles, and the worker gets an `error` event.
#[wasm_bindgen]
pub struct Session {
    device: Opened,
    held: RefCell<Option<Held>>,
}

/// Options of `Session.create`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CreateOptions {
    /// Device to compute on.
    device: Choice,
}

/// Summary of a session's model, to show to the user.
#[derive(Debug, Serialize)]
struct ModelInfo {
    parameters: usize,
    vocabulary: usize,
    context: usize,
    forks: ForkTable,
    training: Option<TrainingInfo>,
}

/// Options and progress of a training.
#[derive(Debug, Serialize)]
struct TrainingInfo {
    options: Value,
    steps_done: usize,
    questions: usize,
    held_out: usize,
}

/// A new token of a fork.
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
    /// [`SessionError::Device`], [`SessionError::SelfTest`] or [`SessionError::Step`] for `"webgpu"`.
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

    /// The device that the session computes on.
    #[wasm_bindgen(getter, unchecked_return_type = "DeviceInfo")]
    pub fn device(&self) -> Result<JsValue, JsValue> {
        to_js(&self.device)
    }

    /// Memory of the device's buffers, in bytes. `undefined` on the CPU, which uses the memory of the module.
    #[wasm_bindgen(js_name = deviceBytes)]
    pub fn device_bytes(&self) -> Option<f64> {
        ssft_kernels::memory::reserved_bytes(&self.device.device).map(|bytes| bytes as f64)
    }

    /// Opens a model: the files of a Hugging Face directory by name, or those of `exportState`.
    ///
    /// # Errors
    /// [`SessionError::Run`]; the session then keeps the model that it had.
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

    /// Makes a model with random weights and a tokenizer of single bytes.
    ///
    /// # Errors
    /// [`SessionError::Argument`] for a size out of range.
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

    /// Summary of the model; `null` without one.
    #[wasm_bindgen(js_name = modelInfo, unchecked_return_type = "ModelInfo | null")]
    pub fn model_info(&self) -> Result<JsValue, JsValue> {
        let held = self.held.try_borrow().map_err(|_| Stopped::Failed(SessionError::Busy))?;
        to_js(&held.as_ref().map(|held| info(&held.model)))
    }

    /// Answers a prompt with several forks together. `onPiece` is called for every token; decoding ends when it returns `false`.
    ///
    /// # Errors
    /// [`SessionError`], or the value that `onPiece` throws.
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
            let (mut turns, mut thrown) = (Turns::new(), None);
            let listen = async |piece: Piece<'_>| {
                turns.give_if_due().await;
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

    /// Starts a training of the model from its present weights.
    ///
    /// # Errors
    /// [`SessionError::Argument`], [`SessionError::Data`]; the session is then unchanged.
    #[wasm_bindgen(js_name = startTraining, unchecked_return_type = "ModelInfo")]
    pub async fn start_training(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "TrainOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let started = || {
            let options = train_options("startTraining", plain("startTraining", options)?)?;
            let mut held = self.held()?;
            let held = held.as_mut().ok_or(SessionError::NoModel)?;
            held.model.train(options).map_err(|error| SessionError::of_call("startTraining", error))?;
            held.recent = Recent::default();
            Ok::<_, Stopped>(info(&held.model))
        };
        to_js(&started()?)
    }

    /// Runs one optimizer step on `batch` (records as in a data file) or, without it, on the next questions of the training.
    /// Returns the step's line of `metrics.jsonl`, with cost matrix and matching of each question before the update.
    ///
    /// # Errors
    /// [`SessionError`]; the weights are then unchanged.
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
            to_js(&line).map_err(Stopped::Thrown)
        };
        Ok(done.await?)
    }

    /// Trains to the last step, for at most `options.steps` steps. `onStep` is called after every step; the call ends when it
    /// returns `false`. `onState` is called with the files of `exportState` after the first step, every `options.save_every_s`
    /// seconds and at the end. Returns the training's total number of steps done.
    ///
    /// # Errors
    /// [`SessionError`], or the value that a callback throws; steps before the error are kept.
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

    /// Answers the held-out questions of the training with every fork, and scores the answers.
    ///
    /// # Errors
    /// [`SessionError`]; [`SessionError::NothingHeldOut`] for a training without held-out questions.
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

    /// Files of the model as a Hugging Face directory, which `transformers` can open.
    ///
    /// # Errors
    /// [`SessionError::Checkpoint`] if a weight is NaN or infinite, or if the device fails.
    #[wasm_bindgen(js_name = exportModel, unchecked_return_type = "ModelFiles")]
    pub async fn export_model(&self) -> Result<Object, JsValue> {
        Ok(self.export(ModelInMemory::files).await?)
    }

    /// Files of the model and its training, for `loadModel` to continue from.
    ///
    /// # Errors
    /// As [`Session::export_model`].
    #[wasm_bindgen(js_name = exportState, unchecked_return_type = "ModelFiles")]
    pub async fn export_state(&self) -> Result<Object, JsValue> {
        Ok(self.export(ModelInMemory::state_files).await?)
    }
}

impl Session {
    /// Exclusive access to the content of the session for one call.
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

/// Questions of a built-in task: `{train, test}`, records as in the files of `data make`.
///
/// # Errors
/// [`SessionError::Argument`] for an unknown task or a value out of range.
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
        let split = question_options(plain("questions", options)?)?;
        let split = split.split().map_err(|error| SessionError::of_call("questions", error))?;
        Ok::<_, Stopped>(Made { train: split.train, test: split.held_out })
    };
    to_js(&made()?)
}

/// The maze of a question, to draw; `null` if the question is not a maze.
#[wasm_bindgen(js_name = drawMaze, unchecked_return_type = "Maze | null")]
pub fn draw_maze(question: &str) -> Result<JsValue, JsValue> {
    to_js(&Drawn::new(question))
}

/// Cells that a text, finished or not, visits in the maze of a question; `null` if the question is not a maze.
#[wasm_bindgen(js_name = mazeTrail, unchecked_return_type = "Trail | null")]
pub fn maze_trail(question: &str, text: &str) -> Result<JsValue, JsValue> {
    to_js(&Trail::new(question, text))
}

/// Clock that returns the milliseconds since this call.
fn clock() -> impl Fn() -> f64 {
    let started = Instant::now();
    move || started.elapsed().as_secs_f64() * 1e3
}

/// Options as plain data; an empty object for `undefined` or `null`.
fn plain(call: &'static str, options: JsValue) -> Result<Value, SessionError> {
    let options: Option<Value> = read(call, options)?;
    Ok(options.unwrap_or_else(|| Value::Object(Map::new())))
}

/// Judge of the answers: the task of `options` if given, else the judge of the training, else the form of answers.
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
