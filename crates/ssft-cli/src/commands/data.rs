//! `data make` and `data check`.

use crate::args::{CheckArgs, MakeArgs};
use crate::config::RunConfig;
use crate::exit::{Failure, say};
use crate::limits::check_number_of_forks;
use crate::model_directory::ModelDirectory;
use crate::setup;
use ssft_data::dataset::{Limits, check_file, fork_problems, write_records};
use ssft_data::error::DataError;
use ssft_data::record::Record;
use ssft_data::words::counted;
use ssft_tasks::TaskSpec;

pub fn make(args: &MakeArgs) -> Result<(), Failure> {
    let task = setup::task(&args.task)?;
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
    let default = RunConfig { template: args.template, ..RunConfig::default() };
    let model = args.model.as_deref().map(ModelDirectory::read).transpose()?;
    let model =
        model.map(|model| setup::with_wanted_forks(model, args.forks, None, default.seed)).transpose()?;
    let forks = match &model {
        Some(model) => model.side.tokenizer.forks().len(),
        None => args.forks.unwrap_or(default.forks),
    };
    let checked = check_file(&args.file, &Limits::default());
    let mut problems: Vec<String> = checked.problems.iter().map(DataError::to_string).collect();
    let name = args.file.display();
    problems.extend(fork_problems(&checked.records, forks).map(|error| format!("{name}: {error}")));
    problems.extend(row_problems(&checked.records, args, model.as_ref(), RunConfig { forks, ..default })?);
    for problem in problems.iter().take(Limits::default().problems) {
        say(problem);
    }
    if !problems.is_empty() {
        // Reading stops at so many.
        let more =
            if problems.len() >= Limits::default().problems { " or more; the first are shown" } else { "" };
        let count = counted(problems.len(), "problem");
        return Err(Failure::Usage(format!("{name}: {count}{more}")));
    }
    if !args.quiet {
        let traces: usize = checked.records.iter().map(|record| record.traces.len()).sum();
        let questions = counted(checked.records.len(), "question");
        println!("{name}: {questions} with {}, no problem", counted(traces, "trace"));
    }
    Ok(())
}

/// Rows that `train --data` would find too long or empty, with its own tokenizer and template or those of --model.
fn row_problems(
    records: &[Record],
    args: &CheckArgs,
    model: Option<&ModelDirectory>,
    mut config: RunConfig,
) -> Result<Vec<String>, Failure> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let (encoder, _) = match model {
        Some(model) => {
            config.context = args.context.unwrap_or(model.side.shape.max_position_embeddings);
            setup::encoder_of(model, &config, setup::any_chat(records))?
        }
        None => {
            config.context = args.context.unwrap_or(config.context);
            setup::fresh_encoder(&records.iter().collect::<Vec<_>>(), Some(config.vocab_size), &config)?
        }
    };
    Ok(encoder.problems(records).map(|error| format!("{}: {error}", args.file.display())).collect())
}
