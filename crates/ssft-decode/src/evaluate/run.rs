//! Evaluation of a model: every fork answers every question, and the answers are judged and scored.

use super::protocol::Protocol;
use super::score::{Answers, Evaluation, Rules, Sample, score};
use crate::decode::fork::{Continuation, DecodeError, Piece, Question, RowStart, Settings, decode};
use crate::decode::sample::{Sampling, row_generator};
use ssft_data::encode::Encoder;
use ssft_data::error::DataError;
use ssft_data::record::Record;
use ssft_data::template::messages_of;
use ssft_model::Decoder;
use std::ops::ControlFlow;

/// Decodes the greedy and the drawn answers of every fork to every question, and scores them. `progress` is called with
/// the number of finished questions.
///
/// # Errors
/// [`DecodeError`] if a question cannot be encoded or decoding fails.
///
/// ```
/// use burn::tensor::Device;
/// use ssft_data::{encode::Encoder, forks::{CoverageGraph, ForkLead}, template::Template, tokenizer::Tokenizer};
/// use ssft_decode::{Evaluation, Judge, Protocol, evaluate};
/// use ssft_model::{Decoder, DecoderConfig, config::Preset};
/// use ssft_tasks::{Task, TaskSpec, arithmetic::Arithmetic};
///
/// let records = Arithmetic.make(&TaskSpec { train: 2, test: 0, difficulty: 1, seed: 1 })?.train;
/// let tokenizer = Tokenizer::bytes(2)?;
/// let config = DecoderConfig::preset(Preset::Toy, tokenizer.vocab_size());
/// let model = Decoder::init(&config, 1, &Device::flex());
/// let encoder = Encoder::new(tokenizer, Template::plain(), &ForkLead::bare(), 96)?;
///
/// let questions = encoder.encode_all(&records)?;
/// let coverage = CoverageGraph::new(2); // without matches: both forks are evaluated
/// let protocol = Protocol::greedy(&coverage, &questions, &encoder, 8, Judge::Task(&Arithmetic), 1);
/// let evaluation = pollster::block_on(evaluate(&model, &encoder, &records, &protocol, |_| {}))?;
/// assert_eq!((evaluation.n_questions, evaluation.samples.len()), (2, 4));
///
/// let json = serde_json::to_string(&evaluation)?;
/// assert_eq!(serde_json::from_str::<Evaluation>(&json)?, evaluation);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn evaluate(
    model: &Decoder,
    encoder: &Encoder,
    records: &[Record],
    protocol: &Protocol,
    mut progress: impl FnMut(usize),
) -> Result<Evaluation, DecodeError> {
    let mut answers: Vec<Answers> = Vec::with_capacity(records.len());
    let batch = protocol.batch();
    for (index, records) in records.chunks(batch).enumerate() {
        let batch = Batch { model, encoder, protocol, first: index * batch, records };
        let greedy = batch.answers(Sampling { temperature: 0.0, ..protocol.sampling }, 1).await?;
        let drawn = match protocol.samples {
            0 => records.iter().map(|_| Vec::new()).collect(),
            samples => batch.answers(protocol.sampling, samples).await?,
        };
        answers.extend(greedy.into_iter().zip(drawn).map(|(greedy, drawn)| Answers {
            greedy,
            // In order of the forks.
            drawn: drawn.chunks(protocol.samples.max(1)).map(<[Sample]>::to_vec).collect(),
        }));
        progress(answers.len());
    }
    let rules = Rules {
        forks: protocol.forks.iter().map(|fork| fork + 1).collect(),
        chosen_fork: protocol.chosen_fork,
        strategies: protocol.judge.strategies(),
        ks: protocol.ks.clone(),
        seed: protocol.seed,
    };
    Ok(score(answers, &rules))
}

/// Questions decoded together.
struct Batch<'a> {
    model: &'a Decoder,
    encoder: &'a Encoder,
    protocol: &'a Protocol,
    /// Index of the first question among all.
    first: usize,
    records: &'a [Record],
}

impl Batch<'_> {
    /// `[questions][forks * samples]`: the judged answers, in order of the forks.
    async fn answers(&self, sampling: Sampling, samples: usize) -> Result<Vec<Vec<Sample>>, DecodeError> {
        let tokenizer = self.encoder.tokenizer();
        let settings = Settings {
            sampling,
            eos: tokenizer.ends().to_vec(),
            stop: Vec::new(),
            max_tokens: self.protocol.max_tokens,
        };
        let listen = async |_: Piece<'_>| ControlFlow::Continue(());
        let questions = self.questions(samples)?;
        let continuations = decode(self.model, tokenizer, &questions, &settings, listen).await?;
        let judged = self.records.iter().zip(continuations).map(|(record, continuations)| {
            let sample = |(row, continuation): (usize, Continuation)| {
                let judgement = self.protocol.judge.judge(record, &continuation.text);
                Sample {
                    id: record.id.clone(),
                    question: record.question.clone(),
                    fork: self.protocol.forks[row / samples] + 1,
                    sample: row % samples,
                    greedy: sampling.is_greedy(),
                    text: continuation.text,
                    answer: judgement.answer,
                    correct: judgement.correct,
                    strategy: judgement.strategy,
                    finish: continuation.finish,
                }
            };
            continuations.into_iter().enumerate().map(sample).collect()
        });
        Ok(judged.collect())
    }

    /// The prompts, with `samples` rows per fork.
    fn questions(&self, samples: usize) -> Result<Vec<Question>, DataError> {
        let Self { encoder, protocol, first, records, .. } = *self;
        let row = |question: usize, fork: usize, sample: usize| RowStart {
            lead: encoder.lead(fork),
            rng: row_generator(protocol.seed, (first + question) as u64, fork as u32, sample as u32),
        };
        let question = |(at, record): (usize, &Record)| {
            let rows = protocol.forks.iter().flat_map(|&fork| (0..samples).map(move |sample| (fork, sample)));
            let rows = rows.map(|(fork, sample)| row(at, fork, sample)).collect();
            Ok(Question { prompt: encoder.prompt(&record.id, &messages_of(record))?, rows })
        };
        records.iter().enumerate().map(question).collect()
    }
}
