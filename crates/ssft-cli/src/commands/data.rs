//! `data make` and `data check`.

use crate::args::{CheckArgs, MakeArgs};
use crate::exit::Failure;
use crate::setup;
use ssft_data::dataset::{Limits, check_file, fork_problems, write_records};
use ssft_data::encode::Encoder;
use ssft_data::error::DataError;
use ssft_data::forks::ForkLead;
use ssft_data::record::Record;
use ssft_data::tasks::TaskSpec;
use ssft_data::template::Template;
use ssft_data::tokenizer::Tokenizer;

pub fn make(args: &MakeArgs) -> Result<(), Failure> {
    let task = setup::task(&args.task)?;
    let spec = TaskSpec { train: args.train, test: args.test, difficulty: args.difficulty, seed: args.seed };
    let made = task.make(&spec).map_err(Failure::usage)?;
    std::fs::create_dir_all(&args.out)
        .map_err(|error| Failure::Usage(format!("{}: cannot be created ({error})", args.out.display())))?;
    for (name, records) in [("train.jsonl", &made.train), ("test.jsonl", &made.test)] {
        let path = args.out.join(name);
        write_records(&path, records).map_err(Failure::run)?;
        if !args.quiet {
            println!("{}: {} questions", path.display(), records.len());
        }
    }
    Ok(())
}

pub fn check(args: &CheckArgs) -> Result<(), Failure> {
    let checked = check_file(&args.file, &Limits::default());
    let mut problems: Vec<String> = checked.problems.iter().map(DataError::to_string).collect();
    problems.extend(fork_problems(&checked.records, args.forks).map(|error| error.to_string()));
    problems.extend(row_problems(&checked.records, args)?);
    for problem in problems.iter().take(Limits::default().problems) {
        eprintln!("{problem}");
    }
    if !problems.is_empty() {
        let more = if problems.len() > Limits::default().problems { " (the first are shown)" } else { "" };
        return Err(Failure::Usage(format!("{}: {} problems{more}", args.file.display(), problems.len())));
    }
    if !args.quiet {
        let traces: usize = checked.records.iter().map(|record| record.traces.len()).sum();
        println!(
            "{}: {} questions with {traces} traces, no problem",
            args.file.display(),
            checked.records.len()
        );
    }
    Ok(())
}

/// Rows that are too long or empty. Bytes are the longest that a row can become, whatever tokenizer is learned.
fn row_problems(records: &[Record], args: &CheckArgs) -> Result<Vec<String>, Failure> {
    let tokenizer = Tokenizer::bytes(args.forks).map_err(Failure::usage)?;
    let encoder = Encoder::new(tokenizer, Template::plain(), &ForkLead::bare(), args.context)
        .map_err(Failure::usage)?;
    Ok(encoder.problems(records).map(|error| error.to_string()).collect())
}
