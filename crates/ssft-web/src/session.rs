//! The interface: one class, and a few functions beside it.

#![allow(
    clippy::await_holding_refcell_ref,
    reason = "the reference is the lock: a call that comes while another waits is refused by `Session::held`"
)]

use crate::breath::Breath;
use crate::course::{Course, encode};
use crate::device::{Choice, Opened, check_fits};
use crate::error::SessionError;
use crate::failures;
use crate::held::{Held, Weights};
use crate::javascript::{awaited, heard, named_bytes, named_files, read, records, rethrow, to_js};
use crate::maze::{Drawn, Trail};
use crate::options::{
    EvaluateOptions, GenerateOptions, LoopOptions, ModelOptions, TaskOptions, TrainOptions, task,
};
use crate::stopped::Stopped;
use js_sys::{Function, Object};
use serde::{Deserialize, Serialize};
use ssft_data::forks::ForkTable;
use ssft_decode::answer::Judge;
use ssft_decode::fork::{Finish, Piece};
use ssft_decode::generation::{Request, generate};
use ssft_model::directory::Files;
use std::cell::{RefCell, RefMut};
use wasm_bindgen::prelude::*;
use web_time::Instant;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("session.d.ts");

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
    options: TrainOptions,
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
            let loaded = Held::load(files, &self.device.device, |shape| check_fits(&self.device, shape))?;
            self.device.check()?;
            Ok::<_, Stopped>(info(held.insert(loaded)))
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
            let options: ModelOptions = read("newModel", options)?;
            let fresh = Held::fresh(&options, &self.device.device)?;
            Ok::<_, Stopped>(info(self.held()?.insert(fresh)))
        };
        to_js(&made()?)
    }

    /// What it holds; nothing without a model.
    #[wasm_bindgen(js_name = modelInfo, unchecked_return_type = "ModelInfo | null")]
    pub fn model_info(&self) -> Result<JsValue, JsValue> {
        let held = self.held.try_borrow().map_err(|_| Stopped::Failed(SessionError::Busy))?;
        to_js(&held.as_ref().map(info))
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
            let held = held.as_ref().ok_or(SessionError::NoModel)?;
            let forks = options.choice()?.forks(&held.table())?;
            let prompt_tokens = held.encoder.prompt_text("the prompt", &prompt)?;
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
            let said = generate(&held.reading(), &held.encoder, prompt_tokens, &request, listen).await?;
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
            let options: TrainOptions = read("startTraining", options)?;
            let mut held = self.held()?;
            let held = held.as_mut().ok_or(SessionError::NoModel)?;
            held.train(options)?;
            Ok::<_, Stopped>(info(held))
        };
        to_js(&started()?)
    }

    /// One optimizer step, on `batch` (records as in a data file) or else the next questions of the training: the line of
    /// `metrics.jsonl`, with the cost matrix and the matching of each of its questions as they were before the update.
    ///
    /// # Errors
    /// [`SessionError`]; the weights are then what they were.
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
            let encoder = &held.as_ref().ok_or(SessionError::NoModel)?.encoder;
            let batch = batch.map(|batch| encode("trainStep", encoder, &batch)).transpose()?;
            let line = course(&mut held)?.step(batch.as_deref(), true).await?;
            self.device.check()?;
            Ok::<_, Stopped>(line)
        };
        to_js(&done.await?)
    }

    /// Trains on until its last step, `options.steps`, or until `onStep`, which hears every step, returns `false`; returns how
    /// many steps are done in all. `onState` is given what `exportState` would give: after the first step, every
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
            let (mut breath, mut thrown, mut saved) = (Breath::new(), None, None::<Instant>);
            for turn in 0..options.steps {
                let course = course(&mut held)?;
                if course.trainer.steps_done() >= course.options.steps {
                    break;
                }
                let looks = options.probe_every > 0 && turn.is_multiple_of(options.probe_every);
                let line = course.step(None, looks).await?;
                self.device.check()?;
                if heard(on_step.as_ref(), &line, &mut thrown).await.is_break() {
                    break;
                }
                if saved.is_none_or(|saved| saved.elapsed().as_secs_f64() > options.save_every_s) {
                    self.hand_over(&held, on_state.as_ref()).await?;
                    saved = Some(Instant::now());
                }
                breath.take().await;
            }
            self.hand_over(&held, on_state.as_ref()).await?;
            rethrow(thrown)?;
            Ok::<_, Stopped>(course(&mut held)?.trainer.steps_done())
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
            let held = held.as_ref().ok_or(SessionError::NoModel)?;
            let Weights::Learning(course) = &held.weights else { Err(SessionError::NoTraining)? };
            let evaluation = course.evaluate(&held.encoder, options.questions).await?;
            self.device.check()?;
            Ok::<_, Stopped>(evaluation)
        };
        to_js(&scored.await?)
    }

    /// The model as the files of a Hugging Face directory that `transformers` opens.
    ///
    /// # Errors
    /// [`SessionError::Checkpoint`] if a weight is not a number or the device does not answer.
    #[wasm_bindgen(js_name = exportModel, unchecked_return_type = "ModelFiles")]
    pub async fn export_model(&self) -> Result<Object, JsValue> {
        Ok(self.export(Held::files).await?)
    }

    /// Model and training, for `loadModel` to go on from as if nothing had happened.
    ///
    /// # Errors
    /// As `exportModel`.
    #[wasm_bindgen(js_name = exportState, unchecked_return_type = "ModelFiles")]
    pub async fn export_state(&self) -> Result<Object, JsValue> {
        Ok(self.export(Held::state_files).await?)
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
        contents: impl Fn(&Held) -> Result<Files, SessionError>,
    ) -> Result<Object, Stopped> {
        let held = self.held()?;
        let files = named_files(&contents(held.as_ref().ok_or(SessionError::NoModel)?)?).await?;
        self.device.check()?;
        Ok(files)
    }

    /// Gives the state of a training to `callback`, and waits until it is done with it.
    async fn hand_over(&self, held: &Option<Held>, callback: Option<&Function>) -> Result<(), Stopped> {
        let (Some(held), Some(callback)) = (held, callback) else { return Ok(()) };
        let files = named_files(&held.state_files()?).await?;
        self.device.check()?;
        let answer = callback.call1(&JsValue::UNDEFINED, &files).map_err(Stopped::Thrown)?;
        awaited(answer).await.map_err(Stopped::Thrown).map(drop)
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
        let options: TaskOptions = read("questions", options)?;
        let made = options.make("questions")?;
        Ok::<_, Stopped>(Made { train: made.train, test: made.test })
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

/// The training under way.
fn course(held: &mut Option<Held>) -> Result<&mut Course, SessionError> {
    match &mut held.as_mut().ok_or(SessionError::NoModel)?.weights {
        Weights::Learning(course) => Ok(course),
        Weights::Fixed(_) => Err(SessionError::NoTraining),
    }
}

/// Who says what the answer in a text is.
fn judge(options: &GenerateOptions, held: &Held) -> Result<Judge, SessionError> {
    match (&options.task, &held.weights) {
        (Some(name), _) => Ok(Judge::Task(task("generate", name)?)),
        (None, Weights::Learning(course)) => course.options.judge(),
        (None, Weights::Fixed(_)) => Ok(Judge::Reference(options.answers)),
    }
}

fn info(held: &Held) -> ModelInfo {
    let shape = held.shape();
    let training = match &held.weights {
        Weights::Fixed(_) => None,
        Weights::Learning(course) => Some(TrainingInfo {
            options: course.options.clone(),
            steps_done: course.trainer.steps_done(),
            questions: course.questions.len(),
            held_out: course.held_out.len(),
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
