//! Training on a terminal: events of the loop become lines, a progress bar and files. A step is saved before it is shown.

use crate::exit::{Failure, explain_panic};
use crate::interrupts::Interrupts;
use crate::progress;
use crate::table;
use crate::voice::{Output, Voice};
use indicatif::ProgressBar;
use ssft_data::words::percent;
use ssft_decode::Evaluation;
use ssft_model::Precision;
use ssft_report::{RunRecord, run_page};
use ssft_run::store::{Asked, EvaluationFile, Metrics, RunDirectory, Start, without_samples};
use ssft_run::training::{Answer, Ended, Event, Probing, Rhythm, is_due, train};
use ssft_run::{Course, DecodeRows, ModelText, RunError};
use ssft_train::StepReport;
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Number of held-out questions of an evaluation during training; the final evaluation asks all.
const INTERIM_QUESTIONS: usize = 50;
/// Cost matrices written to the log of the run: number of questions, and number of times in a run.
const PROBING: Probing = Probing::First { questions: 3, times: 12 };
/// Number of rows decoded together in an evaluation.
const DECODE_ROWS: DecodeRows = DecodeRows(384);
/// Number of progress lines of a run whose standard error is not a terminal.
const LINES: usize = 20;

/// A run in training, with the files and the display of its events.
pub struct Training {
    course: Course,
    text: ModelText,
    shown: Shown,
}

/// Targets of the loop's events: run directory, log, display, Ctrl-C.
struct Shown {
    run: RunDirectory,
    metrics: Metrics,
    voice: Voice,
    interrupts: Interrupts,
}

impl Training {
    /// Training of `start` in the directory `run`.
    ///
    /// # Errors
    /// [`Failure::Run`] if metrics.jsonl cannot be opened.
    pub fn new(
        start: Start,
        run: RunDirectory,
        voice: Voice,
        interrupts: Interrupts,
    ) -> Result<Self, Failure> {
        let Start { course, text, .. } = start;
        let metrics = Metrics::open(&run.file("metrics.jsonl"), course.trainer.steps_done())
            .map_err(|error| run.failed("metrics.jsonl", error))?;
        Ok(Self { course, text, shown: Shown { run, metrics, voice, interrupts } })
    }

    /// Trains to the last step.
    ///
    /// # Errors
    /// [`Failure::Run`] with the last checkpoint if a step or a write fails; [`Failure::Interrupted`] after Ctrl-C, with the state
    /// saved.
    pub fn steps(&mut self) -> Result<(), Failure> {
        let bar = self.shown.bar(&self.course);
        let ended = self.guarded(|training| {
            let Self { course, text, shown } = training;
            let rhythm = Rhythm {
                save_every: course.settings.save_every,
                evaluate_every: course.settings.eval_every,
                evaluate_questions: INTERIM_QUESTIONS,
                decode_rows: DECODE_ROWS,
                probing: PROBING,
            };
            let started = Instant::now();
            let clock = move || started.elapsed().as_secs_f64() * 1e3;
            let text = &*text;
            let listener = async |course: &Course, event: Event<'_>| shown.hear(course, text, &bar, event);
            pollster::block_on(train(course, text, &rhythm, &clock, listener))
        })?;
        if ended == Ended::Stopped {
            bar.abandon();
            self.shown.voice.say("");
            let (done, name) = (self.course.trainer.steps_done(), self.shown.run.directory().display());
            return Err(Failure::Interrupted(format!(
                "saved after step {done}; go on with: ssft-wgpu train --out {name} --resume"
            )));
        }
        bar.finish_and_clear();
        self.shown.interrupts.settle();
        Ok(())
    }

    /// Runs `work`; adds the path of the last checkpoint to its error or panic.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(result) => result.map_err(|failure| self.stopped(&failure.to_string())),
            Err(panic) => Err(self.stopped(&explain_panic(panic.as_ref()))),
        }
    }

    fn stopped(&self, what: &str) -> Failure {
        let saved = match self.shown.run.newest_checkpoint() {
            Ok(Some((_, path))) => format!("the last checkpoint is intact: {}", path.display()),
            _ => "there was no checkpoint yet".to_owned(),
        };
        Failure::Run(format!("{what}; {saved}"))
    }

    /// Writes the model, its evaluation and the report.
    ///
    /// # Errors
    /// [`Failure::Run`] with the last checkpoint.
    pub fn finish(&mut self) -> Result<Option<Evaluation>, Failure> {
        self.guarded(|training| training.write_results())
    }

    fn write_results(&self) -> Result<Option<Evaluation>, Failure> {
        let Self { course, text, shown } = self;
        let precision = course.settings.dtype.precision(Precision::F32);
        let model = shown.run.save_model(&course.model_files(text, precision)?)?;
        shown.voice.say(&format!("model    {}", model.display()));
        let evaluation = pollster::block_on(course.evaluate(text, usize::MAX, DECODE_ROWS))?;
        if let Some(evaluation) = &evaluation {
            let asked = Asked::held_out(&course.settings);
            let protocol = course.protocol(text, DECODE_ROWS);
            let file = EvaluationFile::new(&model, asked, &protocol, evaluation.clone());
            shown.run.write("eval.json", file.to_json()?.as_bytes())?;
        }
        let report = run_page(&RunRecord::read(shown.run.directory())?)?;
        shown.run.write("report.html", report.as_bytes())?;
        shown.voice.say(&format!("report   {}", shown.run.file("report.html").display()));
        Ok(evaluation)
    }

    /// Prints the final evaluation.
    ///
    /// # Errors
    /// [`Failure::Run`] if it cannot be written as JSON.
    pub fn conclude(&self, output: Output, evaluation: Option<Evaluation>) -> Result<(), Failure> {
        let Some(evaluation) = evaluation else {
            if output == Output::Json {
                println!("null");
            }
            self.shown.voice.say(
                "no question was held out, so there is no evaluation: at most a tenth of the questions is held out, and only those whose traces end in their answer (as --answers defines it)",
            );
            return Ok(());
        };
        if output == Output::Json {
            println!("{}", serde_json::to_string(&evaluation).map_err(Failure::run)?);
        } else if self.shown.voice == Voice::Normal {
            println!("\n{}", table::evaluation(&evaluation, "held-out questions"));
            println!("\n{}", table::example_answers(&evaluation));
        }
        Ok(())
    }
}

impl Shown {
    /// Stores and shows an event. The log has a step's line before its checkpoint is written, so that a run that is killed between
    /// the two has no gap in its log.
    fn hear(
        &mut self,
        course: &Course,
        text: &ModelText,
        bar: &ProgressBar,
        event: Event<'_>,
    ) -> Result<Answer, Failure> {
        let unwritten = |run: &RunDirectory, error| run.failed("metrics.jsonl", error);
        match event {
            Event::Step(report, _) => {
                let stop = self.interrupts.asked();
                self.metrics.append(report).map_err(|error| unwritten(&self.run, error))?;
                return Ok(if stop { Answer::Stop } else { Answer::Continue });
            }
            Event::Save => {
                let files = course.checkpoint_files(text)?;
                self.run.save_checkpoint(course.trainer.steps_done(), &files, course.settings.keep)?;
            }
            Event::Evaluated(evaluation) => {
                let figures = without_samples(evaluation).map_err(RunError::failed)?;
                self.metrics.amend("eval", figures).map_err(|error| unwritten(&self.run, error))?;
            }
            Event::Probed(probes) => {
                let probes = serde_json::to_value(probes).map_err(RunError::failed)?;
                self.metrics.amend("probe", probes).map_err(|error| unwritten(&self.run, error))?;
            }
            Event::StepEnd(report, evaluation) => self.show(bar, course.steps, report, evaluation),
        }
        Ok(Answer::Continue)
    }

    fn bar(&self, course: &Course) -> ProgressBar {
        let bar = progress::bar(self.voice, "{bar:24} {pos}/{len}  {msg}  {eta} left", Some(course.steps));
        bar.set_position(course.trainer.steps_done() as u64);
        bar.reset_eta();
        bar
    }

    fn show(&self, bar: &ProgressBar, steps: usize, report: &StepReport, evaluation: Option<&Evaluation>) {
        let figures = format!("loss {:.4}  {:.0} tokens/s", report.loss, report.tokens_per_s);
        bar.set_position(report.step as u64);
        bar.set_message(figures.clone());
        // Without a terminal there is no bar; a run prints up to `LINES` lines.
        let line = !std::io::stderr().is_terminal() && is_due(report.step, (steps / LINES).max(1));
        if line || evaluation.is_some() {
            let mut text = format!("step {}/{steps}  {figures}", report.step);
            if let Some(evaluation) = evaluation {
                let (forks, vote) = (evaluation.forks.len(), percent(evaluation.figures.native_cons_at_n));
                text += &format!("  held out: Cons@{forks} {vote}");
            }
            bar.suspend(|| self.voice.say(&text));
        }
    }
}
