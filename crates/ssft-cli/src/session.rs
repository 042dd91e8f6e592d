//! A run under way, from its first step to its report; what is done is saved before anything else is tried.

use crate::config::RunConfig;
use crate::evaluation::{Asked, EvaluationFile, without_samples};
use crate::exit::{Failure, explain_panic, say};
use crate::interrupts::Interrupts;
use crate::metrics::Metrics;
use crate::prepare::Prepared;
use crate::progress;
use crate::report::{record::RunRecord, run_page};
use crate::run::Run;
use crate::setup::Questions;
use crate::table;
use indicatif::ProgressBar;
use serde_json::Value;
use ssft_data::encode::EncodedQuestion;
use ssft_decode::Evaluation;
use ssft_decode::evaluate::{Protocol, evaluate};
use ssft_model::Precision;
use ssft_model::directory::Carried;
use ssft_train::{StepReport, Trainer};
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Instant;

/// Held-out questions of an evaluation during training; the final one takes all.
const INTERIM_QUESTIONS: usize = 50;
/// Questions whose cost matrices are written down as training goes on, and how often in a run.
const PROBED: usize = 3;
const PROBES: usize = 12;
/// Rows decoded together.
const DECODE_ROWS: usize = 384;

/// A run under way.
pub struct Session {
    config: RunConfig,
    run: Run,
    questions: Questions,
    trainer: Trainer,
    carried: Carried,
    metrics: Metrics,
    voice: Voice,
    steps: usize,
    interrupts: Interrupts,
}

/// Speaks to people on standard error, or not at all.
pub struct Voice {
    /// Not at all.
    pub quiet: bool,
}

impl Voice {
    /// Says a line.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            say(line);
        }
    }
}

impl Session {
    /// What was made ready, in its place.
    ///
    /// # Errors
    /// [`Failure::Run`] if the log of the run cannot be opened.
    pub fn new(
        config: RunConfig,
        prepared: Prepared,
        run: Run,
        voice: Voice,
        interrupts: Interrupts,
    ) -> Result<Self, Failure> {
        let Prepared { questions, trainer, steps, carried, .. } = prepared;
        let metrics = Metrics::open(&run.file("metrics.jsonl"), trainer.steps_done())
            .map_err(|error| run.failed("metrics.jsonl", error))?;
        Ok(Self { config, run, questions, trainer, carried, metrics, voice, steps, interrupts })
    }

    /// Trains to the last step.
    ///
    /// # Errors
    /// [`Failure::Run`] if a step or a write fails, with what there is to go on from; [`Failure::Interrupted`] if someone stopped it,
    /// saved.
    pub fn steps(&mut self) -> Result<(), Failure> {
        let bar = self.bar();
        while self.trainer.steps_done() < self.steps {
            let report = self.guarded(|session| {
                let started = Instant::now();
                let clock = move || started.elapsed().as_secs_f64() * 1e3;
                let step = session.trainer.step(&session.questions.train, &clock);
                pollster::block_on(step).map_err(Failure::run)
            })?;
            let done = report.step;
            let stop = self.interrupts.asked();
            // The line comes before the checkpoint, which would otherwise leave a gap behind if the run were killed
            // between them; and what is done is saved before anything else is tried.
            self.metrics.append(&report).map_err(|error| self.run.failed("metrics.jsonl", error))?;
            if due(done, self.config.save_every) || done == self.steps || stop {
                self.guarded(Self::save)?;
            }
            let evaluation = match due(done, self.config.eval_every) && done < self.steps && !stop {
                true => self.guarded(|session| session.evaluate(INTERIM_QUESTIONS))?,
                false => None,
            };
            let failed = |error| self.run.failed("metrics.jsonl", error);
            if let Some(evaluation) = &evaluation {
                let figures = without_samples(evaluation).map_err(Failure::run)?;
                self.metrics.amend("eval", figures).map_err(failed)?;
            }
            if done == 1 || due(done, self.steps.div_ceil(PROBES)) || done == self.steps {
                let probe = self.guarded(|session| session.probe())?;
                let amended = self.metrics.amend("probe", probe);
                amended.map_err(|error| self.run.failed("metrics.jsonl", error))?;
            }
            self.show(&bar, &report, evaluation.as_ref());
            if stop {
                bar.abandon();
                self.voice.say("");
                let name = self.run.directory().display();
                return Err(Failure::Interrupted(format!(
                    "saved after step {done}; go on with: ssft-wgpu train --out {name} --resume"
                )));
            }
        }
        bar.finish_and_clear();
        self.interrupts.settle();
        Ok(())
    }

    fn save(&mut self) -> Result<PathBuf, Failure> {
        self.run.save_checkpoint(&self.trainer, &self.questions, &self.carried, self.config.keep)
    }

    /// Does `work` so that neither an error nor a lost device harms what is saved, and says what there is to go on from.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(result) => result.map_err(|failure| self.stopped(&failure.to_string())),
            Err(panic) => Err(self.stopped(&explain_panic(panic.as_ref()))),
        }
    }

    /// A failure, with what is left to go on from.
    fn stopped(&self, what: &str) -> Failure {
        let saved = match self.run.newest_checkpoint() {
            Ok(Some((_, path))) => format!("the last checkpoint is intact: {}", path.display()),
            _ => "there was no checkpoint yet".to_owned(),
        };
        Failure::Run(format!("{what}; {saved}"))
    }

    fn bar(&self) -> ProgressBar {
        let bar =
            progress::bar(self.voice.quiet, "{bar:24} {pos}/{len}  {msg}  {eta} left", Some(self.steps));
        bar.set_position(self.trainer.steps_done() as u64);
        bar.reset_eta();
        bar
    }

    fn show(&self, bar: &ProgressBar, report: &StepReport, evaluation: Option<&Evaluation>) {
        let figures = format!("loss {:.4}  {:.0} tokens/s", report.loss, report.tokens_per_s);
        bar.set_position(report.step as u64);
        bar.set_message(figures.clone());
        // Without a terminal there is no bar: twenty lines a run instead.
        let line = !std::io::stderr().is_terminal() && due(report.step, (self.steps / 20).max(1));
        if line || evaluation.is_some() {
            let mut text = format!("step {}/{}  {figures}", report.step, self.steps);
            if let Some(evaluation) = evaluation {
                let (forks, vote) =
                    (evaluation.forks.len(), table::percent(evaluation.figures.native_cons_at_n));
                text += &format!("  held out: Cons@{forks} {vote}");
            }
            bar.suspend(|| self.voice.say(&text));
        }
    }

    /// The cost matrices of a few questions as they stand, and what would be matched: how forks come to own a way.
    fn probe(&self) -> Result<Value, Failure> {
        let probed: Vec<&EncodedQuestion> = self.questions.train.iter().take(PROBED).collect();
        let probes = pollster::block_on(self.trainer.probe(&probed)).map_err(Failure::run)?;
        serde_json::to_value(probes).map_err(Failure::run)
    }

    fn evaluate(&self, most: usize) -> Result<Option<Evaluation>, Failure> {
        let records = &self.questions.eval[..most.min(self.questions.eval.len())];
        if records.is_empty() {
            return Ok(None);
        }
        let model = self.trainer.for_reading();
        let protocol = self.protocol();
        let future = evaluate(&model, &self.questions.encoder, records, &protocol, |_| ());
        pollster::block_on(future).map(Some).map_err(Failure::run)
    }

    /// Greedy answers of all forks that training uses.
    fn protocol(&self) -> Protocol {
        let Questions { train, encoder, judge, .. } = &self.questions;
        Protocol::greedy(self.trainer.coverage(), train, encoder, DECODE_ROWS, *judge, self.config.seed)
    }

    /// Writes the model, what it answers and the report.
    ///
    /// # Errors
    /// [`Failure::Run`] says what there is to go on from.
    pub fn finish(&mut self) -> Result<Option<Evaluation>, Failure> {
        self.guarded(|session| session.write_results())
    }

    fn write_results(&self) -> Result<Option<Evaluation>, Failure> {
        let precision = self.config.dtype.precision(Precision::F32);
        let model = self.run.save_model(&self.trainer, &self.questions, &self.carried, precision)?;
        self.voice.say(&format!("model    {}", model.display()));
        let evaluation = self.evaluate(usize::MAX)?;
        if let Some(evaluation) = &evaluation {
            let file = EvaluationFile::new(
                &model,
                Asked::held_out(&self.config),
                &self.protocol(),
                evaluation.clone(),
            );
            self.run.write("eval.json", file.to_json()?.as_bytes())?;
        }
        let report = run_page(&RunRecord::read(self.run.directory())?)?;
        self.run.write("report.html", report.as_bytes())?;
        self.voice.say(&format!("report   {}", self.run.file("report.html").display()));
        Ok(evaluation)
    }

    /// Prints what the model answers.
    ///
    /// # Errors
    /// [`Failure::Run`] if that cannot be written as JSON.
    pub fn conclude(&self, json: bool, evaluation: Option<Evaluation>) -> Result<(), Failure> {
        let Some(evaluation) = evaluation else {
            if json {
                println!("null");
            }
            self.voice.say(
                "nothing was held out to evaluate: that is at most a tenth of the questions, of those whose traces end in their answer (--answers says where it stands)",
            );
            return Ok(());
        };
        if json {
            println!("{}", serde_json::to_string(&evaluation).map_err(Failure::run)?);
        } else if !self.voice.quiet {
            println!("\n{}", table::evaluation(&evaluation, "held-out questions"));
            println!("\n{}", table::example_answers(&evaluation));
        }
        Ok(())
    }
}

/// True every `every` steps; never if `every` is 0.
fn due(step: usize, every: usize) -> bool {
    every > 0 && step.is_multiple_of(every)
}
