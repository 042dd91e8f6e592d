//! The loop of a run: steps, and the checkpoints, evaluations and probes that are due between them.
//!
//! The loop computes what is due; the listener of a face stores and shows it. [`Event::Step`] and [`Event::Save`] come before
//! evaluations and probes, so that a failure of those loses no step.

use crate::course::{Clock, Course, DecodeRows};
use crate::error::RunError;
use crate::model_text::ModelText;
use ssft_decode::Evaluation;
use ssft_train::StepReport;
use ssft_train::probe::Probe;

/// What is due when. An interval of 0 means never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Steps between two checkpoints; the last step always has one.
    pub save_every: usize,
    /// Steps between two evaluations on held-out questions. The last step has none: the whole model is evaluated afterwards.
    pub evaluate_every: usize,
    /// Held-out questions of such an evaluation.
    pub evaluate_questions: usize,
    /// Rows that it decodes together.
    pub decode_rows: DecodeRows,
    /// Cost matrices to look at.
    pub probing: Probing,
}

/// Cost matrices that are computed for people while training goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probing {
    /// Those of the step's own questions before the step: at the first step of the call, then every `every` steps.
    Own {
        /// Steps between two probes; 0 for none.
        every: usize,
    },
    /// Those of the first `questions` training questions: after the first step, after every `1 / times` of the run (rounded up to
    /// whole steps), and after the last step.
    First {
        /// Number of questions.
        questions: usize,
        /// Parts of the run; at least 1.
        times: usize,
    },
}

/// Notice of the loop to its listener, in the order of the variants within a step.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step is done; with cost matrices of its questions from before the step if [`Probing::Own`] is due.
    Step(&'a StepReport, Option<&'a [Probe]>),
    /// The state is to be saved now.
    Save,
    /// Held-out questions were asked.
    Evaluated(&'a Evaluation),
    /// Cost matrices of [`Probing::First`].
    Probed(&'a [Probe]),
    /// All that was due after the step is done.
    StepEnd(&'a StepReport, Option<&'a Evaluation>),
}

/// A listener's answer to an event. The loop uses the answer to [`Event::Step`] only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Continue,
    /// Save the state, then go on.
    Save,
    /// Save the state and end the loop after this step.
    Stop,
}

/// Why the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The last step of the run is done.
    Finished,
    /// The listener asked for it.
    Stopped,
}

/// Trains until the last step of `course` or until the listener stops it.
///
/// # Errors
/// [`RunError`] of a step, an evaluation or a probe; the error of the listener.
pub async fn train<E: From<RunError>>(
    course: &mut Course,
    text: &ModelText,
    rhythm: &Rhythm,
    clock: Clock<'_>,
    mut listener: impl AsyncFnMut(&Course, Event<'_>) -> Result<Answer, E>,
) -> Result<Ended, E> {
    let mut turn = 0;
    while !course.is_done() {
        // 1. The step.
        let own = match rhythm.probing {
            Probing::Own { every } if is_due(turn, every) => Some(course.probe_next().await?),
            _ => None,
        };
        let report = course.step(clock).await?;
        let answer = listener(course, Event::Step(&report, own.as_deref())).await?;
        let (last, stop) = (course.is_done(), answer == Answer::Stop);
        // 2. What is done is saved before anything else is tried.
        if answer != Answer::Continue || last || is_due(report.step, rhythm.save_every) {
            listener(course, Event::Save).await?;
        }
        // 3. Evaluation and probes.
        let evaluation = match is_due(report.step, rhythm.evaluate_every) && !last && !stop {
            true => course.evaluate(text, rhythm.evaluate_questions, rhythm.decode_rows).await?,
            false => None,
        };
        if let Some(evaluation) = &evaluation {
            listener(course, Event::Evaluated(evaluation)).await?;
        }
        if let Some(count) = rhythm.probing.first_due(report.step, course.steps) {
            let probes = course.probe_first(count).await?;
            listener(course, Event::Probed(&probes)).await?;
        }
        listener(course, Event::StepEnd(&report, evaluation.as_ref())).await?;
        if stop {
            return Ok(Ended::Stopped);
        }
        turn += 1;
    }
    Ok(Ended::Finished)
}

impl Probing {
    /// Number of first questions to look at after `step` of `steps`, if any.
    fn first_due(self, step: usize, steps: usize) -> Option<usize> {
        let Self::First { questions, times } = self else { return None };
        (step == 1 || step == steps || is_due(step, steps.div_ceil(times.max(1)))).then_some(questions)
    }
}

/// True every `every` steps; never if `every` is 0.
pub fn is_due(step: usize, every: usize) -> bool {
    every > 0 && step.is_multiple_of(every)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ModelText, Split, settings::Settings};
    use burn::tensor::Device;
    use ssft_model::{Decoder, DecoderConfig, config::Preset};

    fn course(steps: usize) -> (Course, ModelText) {
        let settings = Settings {
            train_questions: 12,
            eval_questions: 2,
            batch_questions: 2,
            steps: Some(steps),
            ..Settings::default()
        };
        let text = ModelText::bytes(6, 128).expect("a tokenizer");
        let shape = DecoderConfig::preset(Preset::Toy, text.encoder.tokenizer().vocab_size());
        let shape = DecoderConfig { num_hidden_layers: 1, ..shape };
        let model = Decoder::init(&shape, 1, &Device::flex().autodiff());
        let split = Split::of_task(&settings).expect("questions");
        (Course::new(settings, split, &text, model, 64).expect("a course"), text)
    }

    fn events(steps: usize, rhythm: Rhythm, stop_at: usize) -> (Vec<String>, Ended) {
        let (mut course, text) = course(steps);
        let mut heard = Vec::new();
        let listener = async |_: &Course, event: Event<'_>| {
            heard.push(match event {
                Event::Step(report, probes) => format!("step {} {}", report.step, probes.is_some()),
                Event::Save => "save".to_owned(),
                Event::Evaluated(evaluation) => format!("evaluated {}", evaluation.n_questions),
                Event::Probed(probes) => format!("probed {}", probes.len()),
                Event::StepEnd(..) => return Ok::<_, RunError>(Answer::Continue),
            });
            Ok(if heard.len() == stop_at { Answer::Stop } else { Answer::Continue })
        };
        let ended =
            pollster::block_on(train(&mut course, &text, &rhythm, &|| 0.0, listener)).expect("trains");
        (heard, ended)
    }

    const RHYTHM: Rhythm = Rhythm {
        save_every: 2,
        evaluate_every: 3,
        evaluate_questions: 1,
        decode_rows: DecodeRows(8),
        probing: Probing::First { questions: 2, times: 2 },
    };

    #[test]
    fn what_is_due_follows_each_step_in_order() {
        let (heard, ended) = events(4, RHYTHM, usize::MAX);
        let expected = [
            "step 1 false",
            "probed 2",
            "step 2 false",
            "save",
            "probed 2",
            "step 3 false",
            "evaluated 1",
            "step 4 false",
            "save",
            "probed 2",
        ];
        assert_eq!((heard.as_slice(), ended), (expected.map(str::to_owned).as_slice(), Ended::Finished));
    }

    #[test]
    fn a_stop_is_saved_first() {
        let own = Rhythm { probing: Probing::Own { every: 2 }, save_every: 0, ..RHYTHM };
        let (heard, ended) = events(4, own, 3);
        assert_eq!(heard, ["step 1 true", "step 2 false", "step 3 true", "save"]);
        assert_eq!(ended, Ended::Stopped);
    }
}
