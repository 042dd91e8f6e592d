//! `data make` and `data check`.

use super::asking::{check_count, check_number_of_forks, check_questions};
use crate::args::{CheckArgs, MakeArgs};
use crate::exit::{Failure, in_words, say};
use ssft_data::dataset::{Limits, check_file, fork_problems, write_records};
use ssft_data::encode::Encoder;
use ssft_data::error::DataError;
use ssft_data::record::Record;
use ssft_data::words::counted;
use ssft_run::encoding::{self, Rendering, Vocabulary};
use ssft_run::settings::{LeadChoice, Settings};
use ssft_run::store::ModelDirectory;
use ssft_run::{QuestionForm, WantedForks, day, task};
use ssft_tasks::TaskSpec;

/// Most notes of `data check` in full.
const NOTES: usize = 5;

pub fn make(args: &MakeArgs) -> Result<(), Failure> {
    check_questions("--train", args.train)?;
    check_questions("--test", args.test)?;
    let task = task(&args.task)?;
    let spec = TaskSpec { train: args.train, test: args.test, difficulty: args.difficulty, seed: args.seed };
    let made = task.make(&spec).map_err(Failure::usage)?;
    std::fs::create_dir_all(&args.out).map_err(|error| {
        Failure::Usage(format!("{}: cannot be created ({error}); give another --out", args.out.display()))
    })?;
    for (name, records) in [("train.jsonl", &made.train), ("test.jsonl", &made.test)] {
        let path = args.out.join(name);
        write_records(&path, records).map_err(Failure::run)?;
        if !args.quiet {
            println!("{}: {}", path.display(), counted(records.len(), "question"));
        }
    }
    Ok(())
}

pub fn check(args: &CheckArgs) -> Result<(), Failure> {
    args.forks.map_or(Ok(()), check_number_of_forks)?;
    check_count("--context", args.context.unwrap_or(1), 1)?;
    let wanted = WantedForks { count: args.forks, init: None, seed: Settings::default().seed };
    let model = args.model.as_deref().map(ModelDirectory::read).transpose()?;
    let model = model.map(|model| model.with_forks(wanted)).transpose()?;
    let forks = match &model {
        Some(model) => model.side.tokenizer.forks().len(),
        None => wanted.after(0),
    };
    let mut checked = check_file(&args.file, &Limits::default());
    let mut problems: Vec<String> = checked.problems.iter().map(DataError::to_string).collect();
    let name = args.file.display();
    problems.extend(fork_problems(&checked.records, forks).map(|error| format!("{name}: {error}")));
    if let Some(encoder) = encoder(&checked.records, args, model.as_ref(), forks)? {
        let records = &checked.records;
        problems.extend(encoder.problems(records).map(|error| format!("{name}: {error}")));
        checked.notes.extend(encoder.left_out(records.iter()));
        for note in encoder.unwritten(records.iter()) {
            checked.notes.add(note.map_err(Failure::usage)?);
        }
    }
    for problem in problems.iter().take(Limits::default().problems) {
        say(&in_words(problem));
    }
    if !problems.is_empty() {
        // Reading stops at this number of problems, so the file may have more.
        let more =
            if problems.len() >= Limits::default().problems { " or more; the first are shown" } else { "" };
        let count = counted(problems.len(), "problem");
        return Err(Failure::Usage(format!("{name}: {count}{more}")));
    }
    if !args.quiet {
        for line in checked.notes.lines(NOTES) {
            println!("note: {line}");
        }
        let traces: usize = checked.records.iter().map(|record| record.traces.len()).sum();
        let questions = counted(checked.records.len(), "question");
        println!("{name}: {questions} with {}, no problem", counted(traces, "trace"));
    }
    Ok(())
}

/// The encoder with the tokenizer and template of --model, else with those that `train --data` would make; `None` without records.
fn encoder(
    records: &[Record],
    args: &CheckArgs,
    model: Option<&ModelDirectory>,
    forks: usize,
) -> Result<Option<Encoder>, Failure> {
    if records.is_empty() {
        return Ok(None);
    }
    let rendering = |context: usize| -> Result<Rendering, Failure> {
        let (template, context) = (args.template, args.context.unwrap_or(context));
        let date = Some(day::parse(&day::today())?);
        Ok(Rendering { template, fork_lead: LeadChoice::Auto, context, date })
    };
    let (encoder, _) = match model {
        Some(model) => {
            let rendering = rendering(model.side.shape.max_position_embeddings)?;
            encoding::of_model(&model.side, &rendering, QuestionForm::of(records))
                .map_err(|error| error.at(&model.directory))?
        }
        None => {
            let settings = Settings::default();
            let records: Vec<&Record> = records.iter().collect();
            let vocabulary = Vocabulary::Learned(settings.vocab_size);
            encoding::of_records(&records, vocabulary, forks, &rendering(settings.context)?)?
        }
    };
    Ok(Some(encoder))
}
