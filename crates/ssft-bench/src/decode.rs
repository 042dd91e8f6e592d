//! Time and memory of forked decoding, compared with separate generations.

use crate::clock::{Times, take_turns};
use crate::error::BenchError;
use crate::memory;
use crate::origin::Origin;
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

/// How the answers of N forks are generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// N generations, one after another, each with its own prompt.
    Separate,
    /// One batch of N rows, each with its own prompt.
    Batched,
    /// One batch of N rows that share one prompt.
    Forked,
}

impl Way {
    /// All ways, in the order of tables and files.
    pub const ALL: [Self; 3] = [Self::Separate, Self::Batched, Self::Forked];

    /// Name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Separate => "separate",
            Self::Batched => "batched",
            Self::Forked => "forked",
        }
    }
}

/// Sizes of a prompt and its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// N: forks.
    pub forks: usize,
    /// P: tokens of the prompt.
    pub prompt: usize,
    /// Tokens of each answer.
    pub answer: usize,
}

/// Results of all ways at one size.
#[derive(Debug, Clone)]
pub struct Case {
    /// Sizes of prompt and answers.
    pub lengths: Lengths,
    /// Parameters of the model.
    pub parameters: usize,
    /// Results in the order of [`Way::ALL`].
    pub measured: [Measured; 3],
}

/// Result of one way.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// The way.
    pub way: Way,
    /// Times of all N answers together.
    pub times: Times,
    /// Largest number of bytes that they need in addition to the model.
    pub peak_bytes: u64,
}

/// Token numbers of a prompt are below this: the bytes of the byte-level tokenizer.
const PROMPT_VOCABULARY: u32 = 256;

/// Measures every way on a random prompt. Answers are greedy and all have `lengths.answer` tokens.
///
/// # Errors
/// [`BenchError::Decode`] if the device fails.
pub fn measure(
    model: &Decoder,
    tokenizer: &Tokenizer,
    lengths: Lengths,
    runs: usize,
    seed: u64,
    device: &Device,
) -> Result<Case, BenchError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let prompt: Vec<u32> = (0..lengths.prompt).map(|_| rng.random_range(0..PROMPT_VOCABULARY)).collect();
    let failed = Mutex::new(None);
    let work = |way: &Way| {
        if let Err(error) = generate(model, tokenizer, &prompt, lengths, *way) {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    };
    let times = take_turns(runs, &Way::ALL, work);
    let measured = std::array::from_fn(|index| {
        let (way, times) = (Way::ALL[index], times[index]);
        Measured { way, times, peak_bytes: memory::peak_bytes(device, || work(&way)) }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error.into()),
        None => Ok(Case { lengths, parameters: model.config().parameters(), measured }),
    }
}

/// Generates the answers of all forks and reads every token back.
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
    /// Rows of a JSON file, one for each way.
    pub fn rows(&self, origin: &Origin) -> Vec<Value> {
        let Lengths { forks, prompt, answer } = self.lengths;
        let shape = json!({
            "parameters": self.parameters, "forks": forks, "prompt_tokens": prompt, "answer_tokens": answer,
        });
        let row = |measured: &Measured| {
            let Measured { way, times, peak_bytes } = measured;
            json!({
                "name": "decode", "device": origin.device, "variant": way.name(), "shape": shape,
                "median_ms": times.median_ms, "min_ms": times.min_ms, "runs": times.runs, "peak_bytes": peak_bytes,
            })
        };
        self.measured.iter().map(row).collect()
    }
}
