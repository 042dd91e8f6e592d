//! `data import`.

use crate::args::ImportArgs;
use crate::exit::{Failure, in_words};
use crate::interrupts::abandon_when_interrupted;
use crate::progress;
use crate::result_file::check_target;
use crate::voice::Voice;
use indicatif::ProgressBar;
use ssft_data::error::DataError;
use ssft_data::template::ThoughtForm;
use ssft_import::{ImportError, ImportSettings, Progress, import as import_files};
use ssft_run::encoding::{self, Rendering};
use ssft_run::store::ModelDirectory;
use ssft_run::{QuestionForm, day};
use std::path::Path;

/// Rows between two updates of the progress bar.
const ROWS_A_MOVE: usize = 1000;

pub fn import(args: &ImportArgs) -> Result<(), Failure> {
    for (flag, value) in [("--traces", args.traces), ("--min-traces", Some(args.min_traces))] {
        if value == Some(0) {
            return Err(Failure::Usage(format!("{flag} is 0; give at least 1")));
        }
    }
    if let Some(most) = args.traces.filter(|&most| most < args.min_traces) {
        return Err(Failure::Usage(format!(
            "--traces {most} is less than --min-traces {}; no question could be kept",
            args.min_traces
        )));
    }
    check_target(Some(&args.out))?;
    let form = args.model.as_deref().map(thought_form).transpose()?;
    let settings = ImportSettings {
        layout: args.layout.map(Into::into),
        max_traces: args.traces,
        min_traces: args.min_traces,
        thoughts: form.clone().flatten().unwrap_or_default(),
        ..ImportSettings::default()
    };
    let bar = progress::bar(Voice::new(args.quiet), "{spinner} {msg}", None);
    abandon_when_interrupted()?;
    let counts = import_files(&args.files, &args.out, &settings, &mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    let counts = counts.map_err(|error| match error {
        ImportError::Data(DataError::Write { .. }) => Failure::run(error),
        error => Failure::usage(error),
    })?;
    if !args.quiet {
        println!("{}: {}", args.out.display(), in_words(&counts.to_string()));
        match form {
            Some(Some(form)) => println!("thoughts in the form of the chat template: {}", form.sample()),
            Some(None) => {
                println!("thoughts before a blank line: the chat template has no form of its own for them")
            }
            None => {}
        }
    }
    Ok(())
}

/// The form in which the chat template of the model at `place` writes thoughts; `None` if it has no form of its own.
fn thought_form(place: &Path) -> Result<Option<ThoughtForm>, Failure> {
    let model = ModelDirectory::read(place)?;
    let date = Some(day::parse(&day::today())?);
    let rendering = Rendering { date, ..Rendering::of_model(&model.side) };
    let encoding = encoding::of_model(&model.side, &rendering, QuestionForm::Text);
    let (encoder, _) = encoding.map_err(|error| error.at(&model.directory))?;
    Ok(ThoughtForm::of(encoder.template(), encoder.template_tokens()))
}

fn show(bar: &ProgressBar, progress: Progress) {
    if progress.rows.is_multiple_of(ROWS_A_MOVE) {
        bar.set_message(match progress.total {
            None => format!("counting: {} rows", progress.rows),
            Some(total) => format!("writing: {} of {total} rows", progress.rows),
        });
        bar.tick();
    }
}
