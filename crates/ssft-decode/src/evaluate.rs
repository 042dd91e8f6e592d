//! Asks every fork every question, and has the answers judged.

use crate::answer::Judge;
use crate::fork::{DecodeError, Piece, Question, RowStart, Settings, decode};
use crate::sample::{Sampling, row_generator};
use crate::score::{Answers, Evaluation, Rules, Sample, score};
use ssft_data::encode::{EncodedQuestion, Encoder};
use ssft_data::error::DataError;
use ssft_data::forks::CoverageGraph;
use ssft_data::record::Record;
use ssft_data::template::messages_of;
use ssft_model::Decoder;
use std::ops::ControlFlow;

/// How to evaluate.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// The forks to ask, counted from 0, in order.
    pub forks: Vec<usize>,
    /// Answers to draw from each fork to each question, beside the greedy one.
    pub samples: usize,
    /// How they are drawn; its repetition penalty is that of the greedy answers too.
    pub sampling: Sampling,
    /// Rows that grow together at most, unless one question alone has more.
    pub rows: usize,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// Who decides.
    pub judge: Judge,
    /// The coverage rule's choice, from 1.
    pub chosen_fork: Option<usize>,
    /// The k of Pass@k and Cons@k.
    pub ks: Vec<usize>,
    /// Of the draws, the votes of fewer answers than forks, and the intervals.
    pub seed: u64,
}

impl Protocol {
    /// A greedy answer of each fork that training has used (`coverage`), as long as the longest trace of its `questions`.
    pub fn greedy(
        coverage: &CoverageGraph,
        questions: &[EncodedQuestion],
        encoder: &Encoder,
        rows: usize,
        judge: Judge,
        seed: u64,
    ) -> Self {
        let forks = coverage.trained_forks();
        let traces = questions.iter().flat_map(|question| &question.traces);
        Self {
            ks: default_ks(forks.len(), 0),
            forks,
            samples: 0,
            sampling: Sampling::GREEDY,
            rows,
            max_tokens: longest_answer(traces.map(|trace| trace.tokens.len()), encoder),
            judge,
            chosen_fork: coverage.chosen_fork().map(|fork| fork + 1),
            seed,
        }
    }

    /// Answers of all forks to a question.
    fn rows_per_question(&self) -> usize {
        self.forks.len() * self.samples.max(1)
    }
}

/// The k of Pass@k and Cons@k where nobody asks for others: one answer, half of the forks, all forks, all answers.
pub fn default_ks(forks: usize, samples: usize) -> Vec<usize> {
    let mut ks = vec![1, (forks / 2).max(1), forks, forks * samples.max(1)];
    ks.dedup();
    ks
}

/// Room for an answer: a quarter more than the longest of the traces of these lengths, or all of a row where there is
/// none; in tokens.
pub fn longest_answer(traces: impl Iterator<Item = usize>, encoder: &Encoder) -> usize {
    let longest = traces.max().unwrap_or(encoder.context());
    longest + longest.div_ceil(4)
}

/// Asks every question of every fork, greedily and by draws, and scores the answers. `progress` hears how many
/// questions are done.
///
/// # Errors
/// [`DecodeError`] if a question cannot be encoded or decoding fails.
pub async fn evaluate(
    model: &Decoder,
    encoder: &Encoder,
    records: &[Record],
    protocol: &Protocol,
    mut progress: impl FnMut(usize),
) -> Result<Evaluation, DecodeError> {
    let mut answers: Vec<Answers> = Vec::with_capacity(records.len());
    let batch = (protocol.rows / protocol.rows_per_question().max(1)).max(1);
    for (index, records) in records.chunks(batch).enumerate() {
        let asked = Asked { model, encoder, protocol, first: index * batch, records };
        let greedy = asked.answers(Sampling { temperature: 0.0, ..protocol.sampling }, 1).await?;
        let drawn = match protocol.samples {
            0 => records.iter().map(|_| Vec::new()).collect(),
            samples => asked.answers(protocol.sampling, samples).await?,
        };
        answers.extend(greedy.into_iter().zip(drawn).map(|(greedy, drawn)| Answers {
            greedy,
            // They come fork by fork.
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

/// Some questions to ask at once.
struct Asked<'a> {
    model: &'a Decoder,
    encoder: &'a Encoder,
    protocol: &'a Protocol,
    /// The number of the first among all.
    first: usize,
    records: &'a [Record],
}

impl Asked<'_> {
    /// For each question the answers of each fork, `samples` of it side by side.
    async fn answers(&self, sampling: Sampling, samples: usize) -> Result<Vec<Vec<Sample>>, DecodeError> {
        let Self { model, encoder, protocol, first, records } = *self;
        let starts = |question: usize| -> Vec<RowStart> {
            let rows = protocol.forks.iter().flat_map(|&fork| (0..samples).map(move |sample| (fork, sample)));
            let rng = |fork, sample| {
                row_generator(protocol.seed, (first + question) as u64, fork as u32, sample as u32)
            };
            rows.map(|(fork, sample)| RowStart { lead: encoder.lead(fork), rng: rng(fork, sample) }).collect()
        };
        let question = |(at, record): (usize, &Record)| {
            Ok(Question { prompt: encoder.prompt(&record.id, &messages_of(record))?, rows: starts(at) })
        };
        let questions = records.iter().enumerate().map(question).collect::<Result<Vec<_>, DataError>>()?;
        let settings = Settings {
            sampling,
            eos: vec![encoder.tokenizer().eos()],
            stop: Vec::new(),
            max_tokens: protocol.max_tokens,
        };
        let listen = async |_: Piece<'_>| ControlFlow::Continue(());
        let said = decode(model, encoder.tokenizer(), &questions, &settings, listen).await?;
        let judged = records.iter().zip(said).map(|(record, said)| {
            let sample = |(row, answer): (usize, crate::Continuation)| {
                let judged = protocol.judge.judge(record, &answer.text);
                Sample {
                    id: record.id.clone(),
                    question: record.question.clone(),
                    fork: protocol.forks[row / samples] + 1,
                    sample: row % samples,
                    greedy: sampling.is_greedy(),
                    text: answer.text,
                    answer: judged.answer,
                    correct: judged.correct,
                    strategy: judged.strategy,
                    finish: answer.finish,
                }
            };
            said.into_iter().enumerate().map(sample).collect()
        });
        Ok(judged.collect())
    }
}
