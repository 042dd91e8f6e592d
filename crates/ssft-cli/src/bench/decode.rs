//! Forked decoding beside generations of their own.

use super::clock::{Times, take_turns};
use super::memory;
use super::output::{Origin, mebibytes, three_digits};
use crate::table::{align_figures, plain, trimmed};
use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use ssft_data::tokenizer::Tokenizer;
use ssft_decode::fork::{Piece, Question, RowStart, Settings};
use ssft_decode::sample::{Sampling, row_generator};
use ssft_decode::{DecodeError, decode};
use ssft_model::Decoder;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

/// How the answers of N forks come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// N generations, one after the other, each with its own prompt.
    Separate,
    /// N rows that grow in step, each with its own prompt.
    Batched,
    /// N rows that grow in step from one prompt.
    Forked,
}

impl Way {
    /// From the plainest to ours.
    pub const ALL: [Self; 3] = [Self::Separate, Self::Batched, Self::Forked];

    /// Its name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Separate => "separate",
            Self::Batched => "batched",
            Self::Forked => "forked",
        }
    }
}

/// Lengths of a prompt and its answers.
#[derive(Debug, Clone, Copy)]
pub struct Lengths {
    /// N.
    pub forks: usize,
    /// P.
    pub prompt: usize,
    /// Tokens of each answer.
    pub answer: usize,
}

/// All ways at one shape.
#[derive(Debug)]
pub struct Case {
    lengths: Lengths,
    parameters: usize,
    measured: Vec<(Way, Times, u64)>,
}

/// Measures every way on a random prompt; answers are greedy and never end early.
///
/// # Errors
/// [`DecodeError`] if the device fails.
pub fn measure(
    model: &Decoder,
    tokenizer: &Tokenizer,
    lengths: Lengths,
    runs: usize,
    seed: u64,
    device: &Device,
) -> Result<Case, DecodeError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let prompt: Vec<u32> = (0..lengths.prompt).map(|_| rng.random_range(0..256)).collect();
    let failed = Mutex::new(None);
    let work = |way: &Way| {
        if let Err(error) = generate(model, tokenizer, &prompt, lengths, *way) {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    };
    let times = take_turns(runs, &Way::ALL, work);
    let measured = Way::ALL.into_iter().zip(times);
    let measured =
        measured.map(|(way, times)| (way, times, memory::peak_bytes(device, || work(&way)))).collect();
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(Case { lengths, parameters: model.config().parameters(), measured }),
    }
}

/// The answers of all forks, every token read back.
fn generate(
    model: &Decoder,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    lengths: Lengths,
    way: Way,
) -> Result<(), DecodeError> {
    let row = |&fork: &u32| RowStart { lead: vec![fork], rng: row_generator(0, 0, 0, 0) };
    let ask = |forks: &[u32]| Question { prompt: prompt.to_vec(), rows: forks.iter().map(row).collect() };
    let forks = &tokenizer.forks()[..lengths.forks];
    let batches: Vec<Vec<Question>> = match way {
        Way::Separate => forks.chunks(1).map(|fork| vec![ask(fork)]).collect(),
        Way::Batched => vec![forks.chunks(1).map(ask).collect()],
        Way::Forked => vec![vec![ask(forks)]],
    };
    let (sampling, max_tokens) = (Sampling::GREEDY, lengths.answer);
    let settings = Settings { sampling, eos: Vec::new(), stop: Vec::new(), max_tokens };
    for questions in &batches {
        let listen = async |_: Piece<'_>| ControlFlow::Continue(());
        pollster::block_on(decode(model, tokenizer, questions, &settings, listen))?;
    }
    Ok(())
}

impl Case {
    /// One object a way.
    pub fn rows(&self, origin: &Origin) -> Vec<Value> {
        let Lengths { forks, prompt, answer } = self.lengths;
        let shape = json!({
            "parameters": self.parameters, "forks": forks, "prompt_tokens": prompt, "answer_tokens": answer,
        });
        let row = |(way, times, peak_bytes): &(Way, Times, u64)| {
            json!({
                "name": "decode", "device": origin.device(), "variant": way.name(), "shape": shape,
                "median_ms": times.median_ms, "min_ms": times.min_ms, "runs": times.runs, "peak_bytes": peak_bytes,
            })
        };
        self.measured.iter().map(row).collect()
    }
}

/// One line a way and shape. *x separate* is the time over that of separate generations.
pub fn table(cases: &[Case]) -> String {
    let mut table =
        plain(["way", "N", "P", "tokens", "M params", "ms", "x separate", "tokens/s", "peak MiB"]);
    for case in cases {
        let Lengths { forks, prompt, answer } = case.lengths;
        let separate = case.measured[0].1.median_ms;
        for (way, times, peak_bytes) in &case.measured {
            table.add_row([
                way.name().to_owned(),
                forks.to_string(),
                prompt.to_string(),
                answer.to_string(),
                format!("{:.2}", case.parameters as f64 / 1e6),
                three_digits(times.median_ms),
                format!("{:.2}", times.median_ms / separate),
                format!("{:.0}", (forks * answer) as f64 * 1e3 / times.median_ms),
                mebibytes(*peak_bytes),
            ]);
        }
    }
    align_figures(&mut table);
    trimmed(&table)
}
