//! `train`: the whole run, from settings to report.

use crate::args::TrainArgs;
use crate::config::{Resolved, RunConfig};
use crate::day;
use crate::device::NamedDevice;
use crate::evaluation::{Asked, EvaluationFile, default_ks, longest_answer, without_samples};
use crate::exit::{Failure, explain_panic, say};
use crate::metrics::Metrics;
use crate::model_directory::LoadedModel;
use crate::report::{record::RunRecord, run_page};
use crate::run::{Run, restore};
use crate::setup::{self, Questions};
use crate::table;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use ssft_data::encode::EncodedQuestion;
use ssft_decode::Evaluation;
use ssft_decode::evaluate::{Protocol, evaluate};
use ssft_decode::sample::Sampling;
use ssft_model::config::Preset;
use ssft_model::{Decoder, DecoderConfig, Precision};
use ssft_train::directory::Carried;
use ssft_train::optimizer::AdamWSettings;
use ssft_train::schedule::Schedule;
use ssft_train::step::Settings;
use ssft_train::{Assignment, CostMatrix, StepReport, Trainer};
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Held-out questions of an evaluation during training; the final one takes all.
const INTERIM_QUESTIONS: usize = 50;
/// Questions whose cost matrices are written down as training goes on, and how often in a run.
const PROBED: usize = 3;
const PROBES: usize = 12;
/// Rows decoded together.
const DECODE_ROWS: usize = 384;

pub fn train(args: &TrainArgs) -> Result<(), Failure> {
    let (interrupted, settled) = catch_interrupts()?;
    let stem = stem(args)?;
    let out = args.out.as_deref();
    let run = if args.resume { Run::reopen(out, &stem)? } else { Run::create(out, &stem)? };
    let file = if args.resume { Some(run.file("config.toml")) } else { args.config.clone() };
    let mut resolved = Resolved::new(args, file.as_deref())?;
    if let Some(file) = file.as_deref().filter(|_| args.resume) {
        check_unchanged(&Resolved::new(&TrainArgs::default(), Some(file))?.config, &resolved.config)?;
    }
    let device = resolved.config.device.open()?;
    let checkpoint = if args.resume { run.newest_checkpoint()? } else { None };
    let checkpoint = checkpoint.as_ref().map(|(_, path)| path);
    let Prepared { questions, trainer, steps, carried, start } = prepare(&mut resolved, &device, checkpoint)?;
    // A resumed run keeps its file, and with it the origin of each value, unless a flag changed something.
    let kept = || Resolved::new(&TrainArgs::default(), file.as_deref());
    if !args.resume || kept()?.config != resolved.config {
        run.write("config.toml", resolved.to_toml().as_bytes())?;
    }
    let voice = Voice { quiet: args.quiet || args.json };
    introduce(&voice, &resolved, &device, &questions, &trainer, steps, &run);
    start.iter().for_each(|line| voice.say(line));
    let metrics = Metrics::open(&run.file("metrics.jsonl"), trainer.steps_done())
        .map_err(|error| run.failed("metrics.jsonl", error))?;
    let mut session = Session {
        config: resolved.config,
        run,
        questions,
        trainer,
        carried,
        metrics,
        voice,
        steps,
        interrupted,
        settled,
    };
    session.steps()?;
    let evaluation = session.finish()?;
    session.conclude(args.json, evaluation)
}

/// A run under way.
struct Session {
    config: RunConfig,
    run: Run,
    questions: Questions,
    trainer: Trainer,
    carried: Carried,
    metrics: Metrics,
    voice: Voice,
    steps: usize,
    /// Someone pressed Ctrl-C.
    interrupted: Arc<AtomicBool>,
    /// Nothing is left to save: Ctrl-C may end the program at once.
    settled: Arc<AtomicBool>,
}

/// Speaks to people on standard error, or not at all.
struct Voice {
    quiet: bool,
}

impl Voice {
    fn say(&self, line: &str) {
        if !self.quiet {
            say(line);
        }
    }
}

/// The first Ctrl-C asks for a save, the second ends the program, and so does the first when all is saved.
fn catch_interrupts() -> Result<(Arc<AtomicBool>, Arc<AtomicBool>), Failure> {
    let (interrupted, settled) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (asked, done) = (Arc::clone(&interrupted), Arc::clone(&settled));
    let caught = ctrlc::set_handler(move || {
        if done.load(Ordering::SeqCst) || asked.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        say("\nsaving after this step; press again to stop at once");
    });
    caught.map_err(|error| Failure::run(format!("Ctrl-C cannot be caught ({error})")))?;
    Ok((interrupted, settled))
}

/// Settings that shaped the model and its tokenizer: a resumed run takes both from its checkpoint.
fn check_unchanged(started: &RunConfig, asked: &RunConfig) -> Result<(), Failure> {
    let pairs = [
        ("--preset", started.preset == asked.preset),
        ("--model", started.model == asked.model),
        ("--template", started.template == asked.template),
        ("--date", started.date == asked.date),
        ("--fork-lead", started.fork_lead == asked.fork_lead),
        ("--fork-init", started.fork_init == asked.fork_init),
        ("--context", started.context == asked.context),
        ("--vocab-size", started.vocab_size == asked.vocab_size),
        ("--forks", started.forks == asked.forks),
    ];
    match pairs.iter().find(|(_, same)| !same) {
        Some((flag, _)) => {
            Err(Failure::Usage(format!("the run was started with another {flag}; leave it out to resume")))
        }
        None => Ok(()),
    }
}

/// What the run is called when nobody names it.
fn stem(args: &TrainArgs) -> Result<String, Failure> {
    let config = Resolved::new(args, args.config.as_deref())?.config;
    let data = match (&config.data, &config.task) {
        (Some(path), _) => {
            path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
        }
        (None, task) => task.clone().unwrap_or_default(),
    };
    Ok(format!("{data}-{}", config.method.name()))
}

/// All that a run works with.
struct Prepared {
    questions: Questions,
    trainer: Trainer,
    steps: usize,
    /// Files of the model that the run starts from.
    carried: Carried,
    /// What there is to say about that model.
    start: Option<String>,
}

/// Makes everything ready, and writes into `resolved` what only a look at model and memory could tell.
fn prepare(
    resolved: &mut Resolved,
    device: &NamedDevice,
    checkpoint: Option<&PathBuf>,
) -> Result<Prepared, Failure> {
    let autodiff = device.device.clone().autodiff();
    let from = checkpoint.map(PathBuf::as_path).or(resolved.config.model.as_deref());
    // One day for the whole run, whenever it is resumed.
    resolved.config.date.get_or_insert_with(day::today);
    let fits = |shape: &DecoderConfig| device.check_fits(shape);
    let (questions, given) = setup::questions(resolved, from, &autodiff, &fits)?;
    let stored = given.as_ref().map_or(Precision::F32, |given| given.precision);
    let start = given.as_ref().and_then(new_rows);
    let (model, carried) = match given {
        Some(given) => (given.model, given.side.carried),
        None => (fresh(&resolved.config, &questions, &autodiff), Carried::default()),
    };
    let config = &mut resolved.config;
    // A model brings its own number of forks and its own room, and the run is to be repeated and resumed with that.
    config.forks = questions.encoder.tokenizer().forks().len();
    config.context = questions.encoder.context();
    config.date = config.date.take().filter(|_| day::matters_to(questions.encoder.template()));
    config.dtype = config.dtype.precision(stored).into();
    // Another cut of the passes would round differently when the run is resumed.
    config.memory_budget.get_or_insert_with(|| device.memory_budget(model.config()));
    let config = &resolved.config;
    let per_step = config.batch_questions * config.accumulate;
    let steps = match (config.steps, config.epochs) {
        (_, Some(epochs)) => {
            ((epochs * questions.train.len() as f64 / per_step as f64).ceil() as usize).max(1)
        }
        (steps, None) => steps.unwrap_or(1),
    };
    let leads = (0..config.forks).map(|fork| questions.encoder.lead(fork)).collect();
    let mut trainer = Trainer::new(model, leads, &questions.train, settings(config, steps));
    if let Some(directory) = checkpoint {
        restore(&mut trainer, directory)?;
    }
    if trainer.steps_done() > steps {
        let done = trainer.steps_done();
        return Err(Failure::Usage(format!(
            "the run is already at step {done}; give --steps {done} or more"
        )));
    }
    Ok(Prepared { questions, trainer, steps, carried, start })
}

/// What was done to a model without enough forking tokens, for people.
fn new_rows(loaded: &LoadedModel) -> Option<String> {
    let (new, name) = loaded.side.added()?;
    let (before, after) = (loaded.side.shape.vocab_size, loaded.model.config().vocab_size);
    let rows = match before == after {
        true => format!("in spare rows of the {before} there are"),
        false => format!("the vocabulary grows from {before} to {after} rows"),
    };
    let count = new.ids.len();
    let tokens = if count == 1 { "token" } else { "tokens" };
    Some(format!("forks    {count} new {tokens}, each starting near {name}; {rows}"))
}

fn fresh(config: &RunConfig, questions: &Questions, device: &burn::tensor::Device) -> Decoder {
    let vocabulary = questions.encoder.tokenizer().vocab_size();
    let mut shape = DecoderConfig::preset(config.preset.unwrap_or(Preset::Tiny), vocabulary);
    shape.max_position_embeddings = config.context;
    Decoder::init(&shape, config.seed, device)
}

fn settings(config: &RunConfig, steps: usize) -> Settings {
    Settings {
        method: config.method,
        match_tokens: config.match_tokens,
        matching: config.matching,
        batch_questions: config.batch_questions,
        accumulate: config.accumulate,
        memory_budget: (config.memory_budget.unwrap_or(1024) as u64) << 20,
        schedule: Schedule {
            peak: config.lr,
            warmup_steps: config.warmup_steps,
            steps,
            shape: config.schedule,
        },
        adamw: AdamWSettings {
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            weight_decay: config.weight_decay,
            clip_norm: config.clip_norm,
        },
        seed: config.seed,
    }
}

fn introduce(
    voice: &Voice,
    resolved: &Resolved,
    device: &NamedDevice,
    questions: &Questions,
    trainer: &Trainer,
    steps: usize,
    run: &Run,
) {
    let config = &resolved.config;
    let data = match &config.data {
        Some(path) => path.display().to_string(),
        None => format!("{}, difficulty {}", config.task.as_deref().unwrap_or_default(), config.difficulty),
    };
    let parameters = trainer.model().config().parameters() as f64 / 1e6;
    let forks = questions.encoder.tokenizer().forks().len();
    voice.say(&format!("device   {}", device.name));
    voice.say(&format!(
        "data     {data}: {} questions, {} held out",
        questions.train.len(),
        questions.eval.len()
    ));
    voice.say(&format!(
        "model    {parameters:.2} M parameters, {} tokens in the vocabulary",
        questions.encoder.tokenizer().vocab_size()
    ));
    voice.say(&format!(
        "method   {}: {forks} forks, matching on {} tokens, {} questions x {} a step, {steps} steps, seed {}",
        config.method.name(),
        config.match_tokens,
        config.batch_questions,
        config.accumulate,
        config.seed
    ));
    voice.say(&format!("run      {} (every setting in config.toml)", run.directory().display()));
    if trainer.steps_done() > 0 {
        voice.say(&format!("resumed  after step {}", trainer.steps_done()));
    }
}

impl Session {
    fn steps(&mut self) -> Result<(), Failure> {
        let bar = self.bar();
        while self.trainer.steps_done() < self.steps {
            let report = self.guarded(|session| {
                let started = Instant::now();
                let clock = move || started.elapsed().as_secs_f64() * 1e3;
                let step = session.trainer.step(&session.questions.train, &clock);
                pollster::block_on(step).map_err(Failure::run)
            })?;
            let done = report.step;
            let stop = self.interrupted.load(Ordering::SeqCst) && done < self.steps;
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
        self.settled.store(true, Ordering::SeqCst);
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
        if self.voice.quiet || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}  {eta} left");
        let bar = ProgressBar::new(self.steps as u64).with_position(self.trainer.steps_done() as u64);
        bar.reset_eta();
        match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
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
        let batches = [probed.as_slice()];
        let costs = self.trainer.costs(self.trainer.steps_done(), &batches);
        let costs = pollster::block_on(costs).map_err(Failure::run)?;
        let of = |(question, costs): (&&EncodedQuestion, &CostMatrix)| {
            let matched = Assignment::optimal(costs).map_err(Failure::run)?;
            Ok(json!({
                "id": question.id,
                "sources": question.traces.iter().map(|trace| &trace.source).collect::<Vec<_>>(),
                "costs": costs.values.chunks(costs.traces).collect::<Vec<_>>(),
                "forks": matched.forks.iter().map(|fork| fork + 1).collect::<Vec<_>>(),
            }))
        };
        probed.iter().zip(&costs).map(of).collect()
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
        let (coverage, encoder) = (self.trainer.coverage(), &self.questions.encoder);
        let forks = coverage.trained_forks();
        let traces = self.questions.train.iter().flat_map(|question| &question.traces);
        Protocol {
            ks: default_ks(forks.len(), 0),
            forks,
            samples: 0,
            sampling: Sampling::GREEDY,
            rows: DECODE_ROWS,
            max_tokens: longest_answer(traces.map(|trace| trace.tokens.len()), encoder),
            judge: self.questions.judge,
            chosen_fork: coverage.chosen_fork().map(|fork| fork + 1),
            seed: self.config.seed,
        }
    }

    fn finish(&self) -> Result<Option<Evaluation>, Failure> {
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

    fn conclude(&self, json: bool, evaluation: Option<Evaluation>) -> Result<(), Failure> {
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
