//! Forked decoding: each prompt is prefilled once, and all rows continue from its cache.

pub use super::continuation::{Continuation, Finish, Piece};
pub use super::error::DecodeError;
pub use super::request::{Question, RowStart, Settings};

use super::readback::choose_all;
use super::row::{Row, start};
use burn::tensor::Tensor;
use ssft_data::tokenizer::Tokenizer;
use ssft_model::Decoder;
use ssft_model::cache::{Growth, TreeCache};
use ssft_model::packing::{PackedTrees, Tree};
use std::ops::ControlFlow;

/// Continues every row of every question; returns `[questions][rows]` continuations.
///
/// All prompts are prefilled in one pass, and their keys and values are stored once. Then each pass adds one token to
/// every unfinished row. The continuation of a row depends only on its prompt, its lead and its generator. `listen` is
/// awaited for every token; [`ControlFlow::Break`] ends all rows.
///
/// # Errors
/// [`DecodeError`].
///
/// # Panics
/// If a prompt or a lead is empty.
///
/// ```
/// use burn::tensor::Device;
/// use ssft_data::tokenizer::Tokenizer;
/// use ssft_decode::{Question, RowStart, Sampling, Settings, decode, sample::row_generator};
/// use ssft_model::{Decoder, DecoderConfig, config::Preset};
/// use std::ops::ControlFlow;
///
/// let tokenizer = Tokenizer::bytes(2)?;
/// let config = DecoderConfig::preset(Preset::Toy, tokenizer.vocab_size());
/// let model = Decoder::init(&config, 1, &Device::flex());
/// let row = |fork: u32| RowStart {
///     lead: vec![tokenizer.forks()[fork as usize]],
///     rng: row_generator(1, 0, fork, 0),
/// };
/// let question = Question { prompt: tokenizer.encode_text("1+1=")?, rows: vec![row(0), row(1)] };
/// let settings = Settings {
///     sampling: Sampling::GREEDY,
///     eos: vec![tokenizer.eos()],
///     stop: Vec::new(),
///     max_tokens: 3,
/// };
/// let mut pieces = 0;
/// let listen = async |_: ssft_decode::Piece<'_>| {
///     pieces += 1;
///     ControlFlow::Continue(())
/// };
/// let answers = pollster::block_on(decode(&model, &tokenizer, &[question], &settings, listen))?;
/// assert_eq!((answers.len(), answers[0].len()), (1, 2));
/// assert!(pieces >= 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn decode(
    model: &Decoder,
    tokenizer: &Tokenizer,
    questions: &[Question],
    settings: &Settings,
    mut listen: impl AsyncFnMut(Piece<'_>) -> ControlFlow<()>,
) -> Result<Vec<Vec<Continuation>>, DecodeError> {
    let context = model.config().max_position_embeddings;
    let mut rows = start(context, tokenizer, questions, settings)?;
    let trees: Vec<Tree> =
        questions.iter().map(|question| Tree { prompt: question.prompt.clone(), branches: vec![] }).collect();
    if !trees.is_empty() {
        let (_, mut cache) = model.prefill(&PackedTrees::new(&trees));
        grow(model, &mut rows, &mut cache, settings, &mut listen).await?;
    }
    let mut answers: Vec<Vec<Continuation>> = questions.iter().map(|_| Vec::new()).collect();
    for row in rows {
        answers[row.question].push(row.into_continuation()?);
    }
    Ok(answers)
}

/// Extends all rows, one token a pass, until each has ended or `listen` breaks.
async fn grow(
    model: &Decoder,
    rows: &mut [Row<'_>],
    cache: &mut TreeCache,
    settings: &Settings,
    listen: &mut impl AsyncFnMut(Piece<'_>) -> ControlFlow<()>,
) -> Result<(), DecodeError> {
    loop {
        let mut growing: Vec<&mut Row> = rows.iter_mut().filter(|row| row.finish.is_none()).collect();
        if growing.is_empty() {
            return Ok(());
        }
        let logits = forward(model, &mut growing, cache);
        let choices = choose_all(logits, &mut growing, &settings.sampling).await?;
        for (row, choice) in growing.into_iter().zip(choices) {
            row.take(choice, settings)?;
            let (question, number, finish) = (row.question, row.number, row.finish);
            let text = row.text.news(finish);
            if listen(Piece { question, row: number, token: choice.token, text, finish }).await.is_break() {
                return Ok(());
            }
        }
    }
}

/// Runs the model on the next tokens of every row. Returns the logits behind the last of them, `[rows, vocab]`.
fn forward(model: &Decoder, rows: &mut [&mut Row], cache: &mut TreeCache) -> Tensor<2> {
    let known = cache.runs();
    let at = |row: &&mut Row| row.run.map_or(Growth::From(row.question), Growth::On);
    let growth: Vec<(Growth, &[u32])> = rows.iter().map(|row| (at(row), row.next.as_slice())).collect();
    let hidden = model.extend(&growth, cache);
    let ends = growth.iter().scan(0, |end, (_, tokens)| {
        *end += tokens.len();
        Some(*end as i32 - 1)
    });
    let ends: Vec<i32> = ends.collect();
    let [tokens, _] = hidden.dims();
    let last = match ends.len() == tokens {
        true => hidden,
        false => hidden.clone().select(0, Tensor::from_ints(ends.as_slice(), &hidden.device())),
    };
    for (index, row) in rows.iter_mut().enumerate() {
        // All rows start in the first pass, in their order.
        row.run.get_or_insert(known + index);
    }
    model.logits(last)
}
