//! Training in the browser: events of the loop become calls of JavaScript, with turns of the event loop between them.

use crate::device::Opened;
use crate::error::SessionError;
use crate::held::Held;
use crate::javascript::{awaited, heard, named_files, rethrow};
use crate::options::LoopOptions;
use crate::stopped::Stopped;
use crate::turns::Turns;
use js_sys::Function;
use ssft_model::directory::Files;
use ssft_run::in_memory::{Learning, Weights, state_files};
use ssft_run::training::{Answer, Event, Probing, Rhythm, train};
use ssft_run::{Course, DecodeRows};
use wasm_bindgen::JsValue;
use web_time::Instant;

/// Targets of the loop's events: callbacks of the page, and the time of the last saved state.
pub struct Listener<'a> {
    device: &'a Opened,
    on_step: Option<Function>,
    on_state: Option<Function>,
    save_every_s: f64,
    saved: Option<Instant>,
    turns: Turns,
    thrown: Option<JsValue>,
    /// Number of steps left for this call.
    left: usize,
}

impl<'a> Listener<'a> {
    /// A listener before the first event.
    pub fn new(
        device: &'a Opened,
        options: &LoopOptions,
        on_step: Option<Function>,
        on_state: Option<Function>,
    ) -> Self {
        let LoopOptions { steps, save_every_s, .. } = *options;
        let (saved, turns, thrown) = (None, Turns::new(), None);
        Self { device, on_step, on_state, save_every_s, saved, turns, thrown, left: steps }
    }

    fn is_save_due(&self) -> bool {
        self.on_state.is_some()
            && self.saved.is_none_or(|saved| saved.elapsed().as_secs_f64() > self.save_every_s)
    }

    /// Calls `onState` with files, and awaits its promise.
    async fn hand_over(&mut self, files: &Files) -> Result<(), Stopped> {
        let Some(callback) = &self.on_state else { return Ok(()) };
        let files = named_files(files).await?;
        self.device.check()?;
        let answer = callback.call1(&JsValue::UNDEFINED, &files).map_err(Stopped::Thrown)?;
        awaited(answer).await.map_err(Stopped::Thrown)?;
        self.saved = Some(Instant::now());
        Ok(())
    }
}

/// Continues the training of `held`; returns its total number of steps done.
///
/// # Errors
/// [`SessionError::NoTraining`], the error of a failed step, or the value that a callback throws.
pub async fn train_held(
    held: &mut Held,
    options: &LoopOptions,
    listener: &mut Listener<'_>,
) -> Result<usize, Stopped> {
    let Held { model, recent } = held;
    let (text, precision) = (&model.text, model.precision);
    let Weights::Learning(learning) = &mut model.weights else { Err(SessionError::NoTraining)? };
    let Learning { options: started_with, course } = &mut **learning;
    let rhythm = Rhythm {
        save_every: 0,
        evaluate_every: 0,
        evaluate_questions: 0,
        decode_rows: DecodeRows(1),
        probing: Probing::Own { every: options.probe_every },
    };
    let started = Instant::now();
    let clock = move || started.elapsed().as_secs_f64() * 1e3;
    let hear = async |course: &Course, event: Event<'_>| -> Result<Answer, Stopped> {
        match event {
            Event::Step(report, probes) => {
                listener.device.check()?;
                let line = recent.line(course, &[], report, probes);
                listener.left -= 1;
                let told = heard(listener.on_step.as_ref(), &line, &mut listener.thrown).await;
                let answer = match told.is_break() || listener.left == 0 {
                    true => Answer::Stop,
                    false if listener.is_save_due() => Answer::Save,
                    false => Answer::Continue,
                };
                return Ok(answer);
            }
            Event::Save if listener.on_state.is_some() => {
                listener.hand_over(&state_files(text, course, started_with, precision)?).await?;
            }
            Event::StepEnd(..) => listener.turns.give_if_due().await,
            Event::Save | Event::Evaluated(_) | Event::Probed(_) => {}
        }
        Ok(Answer::Continue)
    };
    if options.steps == 0 || course.is_done() {
        let files = state_files(text, course, started_with, precision)?;
        listener.hand_over(&files).await?;
    } else {
        train(course, text, &rhythm, &clock, hear).await?;
    }
    let done = course.trainer.steps_done();
    rethrow(listener.thrown.take())?;
    Ok(done)
}
