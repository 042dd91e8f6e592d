//! `inspect`: training input of one question: prompt, rows with targets, costs, matching.

use super::asking::{check_count, check_number_of_forks};
use crate::args::InspectArgs;
use crate::exit::Failure;
use crate::result_file::{check_target, write_result};
use crate::table;
use serde_json::json;
use ssft_data::dataset::{Limits, check_forks, read_records};
use ssft_data::encode::{EncodedQuestion, Encoder};
use ssft_data::forks::fork_name;
use ssft_data::record::Record;
use ssft_data::template::messages_of;
use ssft_data::tokenizer::Tokenizer;
use ssft_model::config::Preset;
use ssft_model::{Decoder, DecoderConfig};
use ssft_report::matrix::MatrixPicture;
use ssft_run::device::NamedDevice;
use ssft_run::encoding::{self, Encoding, Rendering, Vocabulary};
use ssft_run::settings::{Questions, Settings, default_match_tokens};
use ssft_run::store::ModelDirectory;
use ssft_run::store::trained::settings_of;
use ssft_run::{QuestionForm, WantedForks, day, task};
use ssft_tasks::TaskSpec;
use ssft_train::{Assignment, CostEvaluator, CostMatrix};
use std::path::Path;
use std::slice;

pub fn inspect(args: &InspectArgs) -> Result<(), Failure> {
    let match_tokens = args.match_tokens.unwrap_or_else(|| default_match_tokens(questions(args)));
    args.forks.map_or(Ok(()), check_number_of_forks)?;
    check_count("--match-tokens", match_tokens, 1)?;
    check_target(args.svg.as_deref())?;
    let device = args.device.open()?;
    let records = records(args)?;
    let record = chosen(&records, args.id.as_deref())?;
    let (start, (encoder, lead)) = match &args.model {
        Some(place) => given(args, place, &records)?,
        None => fresh(args, &records)?,
    };
    let question = encoder.encode(record).map_err(Failure::usage)?;
    let forks = encoder.tokenizer().forks().len();
    check_forks(slice::from_ref(record), forks).map_err(Failure::usage)?;
    let model = start.weights(args.seed, &device)?;
    let leads: Vec<Vec<u32>> = (0..forks).map(|fork| encoder.lead(fork)).collect();
    let evaluator = CostEvaluator::new(&model, &leads, match_tokens);
    let costs = pollster::block_on(evaluator.cost_matrix(&question)).map_err(Failure::run)?;
    let matched = Assignment::optimal(&costs).map_err(Failure::usage)?;
    if let Some(path) = &args.svg {
        write_result(path, &picture(record, match_tokens, &costs, &matched))?;
    }
    let rendered = encoder.rendered(&messages_of(record)).map_err(Failure::usage)? + &lead.before;
    if args.json {
        print_json(record, &rendered, &question, &leads, &costs, &matched);
        return Ok(());
    }
    println!("question {}: {:?}", record.id, question_text(record));
    println!("\nprompt as rendered, up to the forking token");
    rendered.split('\n').for_each(|line| println!("  {}", line.escape_debug()));
    println!("\nrows as trained; tokens that are targets stand in [brackets]");
    for (trace, &fork) in question.traces.iter().zip(&matched.forks) {
        println!("{}", row(&encoder, &question, &leads[fork], &trace.tokens)?);
    }
    let sources: Vec<String> = question.traces.iter().map(|trace| trace.source.clone()).collect();
    println!("\ncosts over the first {} trace tokens; * marks the optimal matching", match_tokens);
    println!("{}", table::costs(&costs, &sources, &matched.forks));
    for (trace, &fork) in matched.forks.iter().enumerate() {
        println!("trace {} ({}) -> {}", trace + 1, sources[trace], fork_name(fork));
    }
    Ok(())
}

/// The cost matrix with its matching, as SVG.
fn picture(record: &Record, match_tokens: usize, costs: &CostMatrix, matched: &Assignment) -> String {
    let names: Vec<String> = (0..costs.forks).map(fork_name).collect();
    let sources: Vec<String> = record.traces.iter().map(|trace| trace.source.clone()).collect();
    let rows: Vec<Vec<f32>> = costs.values.chunks(costs.traces).map(<[f32]>::to_vec).collect();
    let caption = [
        format!("question {}", question_text(record).lines().next().unwrap_or_default()),
        format!("nats a token over the first {match_tokens}; the optimal matching has rings"),
    ];
    MatrixPicture {
        costs: &rows,
        forks: &names,
        traces: &sources,
        matching: &matched.forks,
        caption: &caption,
    }
    .svg()
}

fn records(args: &InspectArgs) -> Result<Vec<Record>, Failure> {
    if let Some(path) = &args.data {
        return read_records(path, &Limits::default()).map_err(Failure::usage);
    }
    let spec = TaskSpec { train: 100, test: 20, difficulty: args.difficulty, seed: args.seed };
    Ok(task(&args.task)?.make(&spec).map_err(Failure::usage)?.train)
}

fn chosen<'a>(records: &'a [Record], id: Option<&str>) -> Result<&'a Record, Failure> {
    let found = match id {
        Some(id) => records.iter().find(|record| record.id == id),
        None => records.first(),
    };
    found.ok_or_else(|| match id {
        Some(id) => Failure::Usage(format!("no question has the id {id:?}")),
        None => Failure::Usage("there is no question".to_owned()),
    })
}

fn questions(args: &InspectArgs) -> Questions {
    if args.data.is_some() { Questions::Data } else { Questions::Task }
}

/// The text of a question: its messages, one a line.
fn question_text(record: &Record) -> String {
    messages_of(record).iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
}

/// Rendering of prompts. Its day is `--date` if given, else that of the model's run, else today.
fn rendering(args: &InspectArgs, context: usize, run: Option<&Settings>) -> Result<Rendering, Failure> {
    let InspectArgs { template, fork_lead, .. } = *args;
    let of_run = || run.and_then(|run| run.date.clone());
    let date = day::parse(&args.date.clone().or_else(of_run).unwrap_or_else(day::today))?;
    Ok(Rendering { template, fork_lead, context, date: Some(date) })
}

/// A model without its weights, which are loaded only after the question has been checked.
enum Start {
    Given(Box<ModelDirectory>),
    Fresh(DecoderConfig),
}

impl Start {
    fn weights(self, seed: u64, device: &NamedDevice) -> Result<Decoder, Failure> {
        match self {
            Self::Given(model) => {
                device.check_fits(&model.side.grown_shape())?;
                Ok(model.load(&device.device)?.model)
            }
            Self::Fresh(shape) => Ok(Decoder::init(&shape, seed, &device.device)),
        }
    }
}

/// Model of a directory, with the forking tokens that `train` would add.
fn given(args: &InspectArgs, place: &Path, records: &[Record]) -> Result<(Start, Encoding), Failure> {
    let wanted = WantedForks { count: args.forks, init: args.fork_init.as_deref(), seed: args.seed };
    let model = ModelDirectory::read(place)?.with_forks(wanted)?;
    let context = model.side.shape.max_position_embeddings;
    let rendering = rendering(args, context, settings_of(place)?.as_ref())?;
    let encoding = encoding::of_model(&model.side, &rendering, QuestionForm::of(records))
        .map_err(|error| error.at(&model.directory))?;
    Ok((Start::Given(Box::new(model)), encoding))
}

/// New model as `train` makes it without --model.
fn fresh(args: &InspectArgs, records: &[Record]) -> Result<(Start, Encoding), Failure> {
    let settings = Settings::default();
    let vocabulary = match questions(args) {
        Questions::Data => Vocabulary::Learned(settings.vocab_size),
        Questions::Task => Vocabulary::Bytes,
    };
    let rendering = rendering(args, settings.context, None)?;
    let records: Vec<&Record> = records.iter().collect();
    let forks = args.forks.unwrap_or(settings.forks);
    let encoding = encoding::of_records(&records, vocabulary, forks, &rendering)?;
    let shape = DecoderConfig::preset(Preset::Tiny, encoding.0.tokenizer().vocab_size());
    Ok((Start::Fresh(shape), encoding))
}

/// A training row as text, `prompt <think2> [t][r][a]..`: target tokens in brackets, special tokens by name.
fn row(
    encoder: &Encoder,
    question: &EncodedQuestion,
    lead: &[u32],
    trace: &[u32],
) -> Result<String, Failure> {
    let mut pieces = Pieces { tokenizer: encoder.tokenizer(), before: None };
    let mut line = String::new();
    for &token in question.prompt.iter().chain(lead) {
        line += &pieces.text(token)?;
    }
    for &token in trace {
        line += &format!("[{}]", pieces.text(token)?);
    }
    Ok(line)
}

/// Text of tokens, decoded one by one.
struct Pieces<'a> {
    tokenizer: &'a Tokenizer,
    /// Last token that was not special. Some tokenizers decode a word with its leading blank only after another token.
    before: Option<u32>,
}

impl Pieces<'_> {
    /// Text of a token: the name of a special token; the spelling in the vocabulary for a part of a character; else the decoded
    /// text.
    fn text(&mut self, token: u32) -> Result<String, Failure> {
        if let Some(name) = self.tokenizer.special_name(token) {
            return Ok(name);
        }
        let decode = |tokens: &[u32]| self.tokenizer.decode(tokens).map_err(Failure::usage);
        let alone = decode(&[token])?;
        let text = match self.before.replace(token) {
            Some(before) => {
                let both = decode(&[before, token])?;
                both.strip_prefix(&decode(&[before])?).map_or(alone, str::to_owned)
            }
            None => alone,
        };
        if text.is_empty() || text.contains(char::REPLACEMENT_CHARACTER) {
            return Ok(self.tokenizer.spelling(token).unwrap_or_else(|| format!("<{token}>")));
        }
        Ok(text.escape_debug().to_string())
    }
}

fn print_json(
    record: &Record,
    rendered: &str,
    question: &EncodedQuestion,
    leads: &[Vec<u32>],
    costs: &CostMatrix,
    matched: &Assignment,
) {
    let rows: Vec<_> = (question.traces.iter().zip(&matched.forks))
        .map(|(trace, &fork)| json!({"source": trace.source, "fork": fork + 1, "prompt": question.prompt, "lead": leads[fork], "targets": trace.tokens}))
        .collect();
    let matrix: Vec<&[f32]> = costs.values.chunks(costs.traces).collect();
    let forks: Vec<usize> = matched.forks.iter().map(|fork| fork + 1).collect();
    println!(
        "{}",
        json!({"id": record.id, "prompt": rendered, "rows": rows, "costs": matrix, "matching": forks})
    );
}
