//! Records to token ids.

use crate::error::DataError;
use crate::forks::ForkLead;
use crate::record::{Message, Record, Trace};
use crate::template::{Template, TemplateTokens, messages_of, user_message};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::joined::Markers;
use crate::words::quote;

/// A question and its traces as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedQuestion {
    /// The record's id.
    pub id: String,
    /// Token ids of the rendered prompt up to the forking token; never empty.
    pub prompt: Vec<u32>,
    /// The traces in the record's order.
    pub traces: Vec<EncodedTrace>,
    /// The reference answer, if the question has one.
    pub answer: Option<String>,
}

/// A trace as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedTrace {
    /// The trace's source.
    pub source: String,
    /// Token ids of the trace, with the end of sequence: at least two.
    pub tokens: Vec<u32>,
}

/// Converter of questions and traces to token ids, for training and for generation.
///
/// Layout of a row, where `before` and `after` are the fixed text of [`ForkLead`]:
///
/// ```text
/// prompt before | <think i> after | trace <eos>      number of tokens <= context
/// ```
///
/// The ids of a row are those of its whole text (see [`crate::tokenizer::joined`]).
///
/// ```
/// use ssft_data::{encode::Encoder, forks::ForkLead, record::{Record, Trace}};
/// use ssft_data::{template::Template, tokenizer::Tokenizer};
///
/// let encoder = Encoder::new(Tokenizer::bytes(2)?, Template::plain(), &ForkLead::bare(), 64)?;
/// let record = Record {
///     id: "q1".to_owned(),
///     question: Some("1+1=".to_owned()),
///     messages: None,
///     traces: vec![Trace { source: "sum".to_owned(), text: "2".to_owned() }],
///     answer: Some("2".to_owned()),
/// };
/// let encoded = encoder.encode(&record)?;
/// assert_eq!(encoded.prompt, [49, 43, 49, 61]); // the bytes of "1+1="
/// assert_eq!(encoded.traces[0].tokens, [50, 256]); // "2", end of sequence
/// assert_eq!(encoder.lead(1), [260]); // <think2>
/// # Ok::<(), ssft_data::error::DataError>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    tokenizer: Tokenizer,
    template: Template,
    context: usize,
    lead: ForkLead,
    /// Tokens of a prompt without a question.
    nothing: Vec<u32>,
    /// Tokens between the forking token and the trace.
    after: Vec<u32>,
}

impl Encoder {
    /// An encoder for rows of at most `context` tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::prompt`], for the text of `lead`.
    pub fn new(
        tokenizer: Tokenizer,
        template: Template,
        lead: &ForkLead,
        context: usize,
    ) -> Result<Self, DataError> {
        let nothing = tokenizer.prompt("", markers(&template), &lead.before)?;
        let after = tokenizer.behind_fork(&lead.after)?;
        Ok(Self { tokenizer, template, context, lead: lead.clone(), nothing, after })
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The chat template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Longest row, in tokens.
    pub fn context(&self) -> usize {
        self.context
    }

    /// The first tokens of every branch of `fork` (from 0): the forking token and the fixed tokens behind it.
    ///
    /// # Panics
    /// If the tokenizer has no such fork.
    pub fn lead(&self, fork: usize) -> Vec<u32> {
        let mut lead = vec![self.tokenizer.forks()[fork]];
        lead.extend_from_slice(&self.after);
        lead
    }

    /// Token ids of the prompt of a plain question.
    ///
    /// # Errors
    /// As [`Encoder::prompt`].
    pub fn prompt_text(&self, id: &str, question: &str) -> Result<Vec<u32>, DataError> {
        self.prompt(id, &[user_message(question)])
    }

    /// Token ids of the prompt of a chat, up to the forking token. `id` names the question in errors.
    ///
    /// # Errors
    /// Errors of [`Template::render`]; [`DataError::EmptyPrompt`]; [`DataError::PromptTooLong`] if no token fits
    /// behind the fork.
    pub fn prompt(&self, id: &str, messages: &[Message]) -> Result<Vec<u32>, DataError> {
        let tokenizer = &self.tokenizer;
        let rendered = self.rendered(messages)?;
        let mut prompt = tokenizer.prompt(&rendered, markers(&self.template), &self.lead.before)?;
        if prompt == self.nothing {
            return Err(DataError::EmptyPrompt { id: quote(id) });
        }
        if self.template.is_plain() {
            prompt.splice(..0, tokenizer.start()?);
        }
        let (lead, context) = (1 + self.after.len(), self.context);
        if prompt.len() + lead >= context {
            return Err(DataError::PromptTooLong { id: quote(id), prompt: prompt.len(), lead, context });
        }
        Ok(prompt)
    }

    /// The output of the chat template for `messages`.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn rendered(&self, messages: &[Message]) -> Result<String, DataError> {
        self.template.render(messages, self.template_tokens())
    }

    /// The special tokens that the chat template can refer to.
    pub fn template_tokens(&self) -> TemplateTokens<'_> {
        let tokenizer = &self.tokenizer;
        let (eos, pad) = (Some(tokenizer.eos_token()), Some(tokenizer.pad_token()));
        TemplateTokens { bos: tokenizer.bos_token(), eos, pad, unk: tokenizer.unk_token() }
    }

    /// Encodes a record.
    ///
    /// # Errors
    /// Errors of [`Encoder::prompt`]; [`DataError::NoTargets`] for a trace without tokens; [`DataError::NoCut`] for a trace
    /// that shares a token with the text behind the forking token; [`DataError::TooLong`] for a row longer than the context.
    pub fn encode(&self, record: &Record) -> Result<EncodedQuestion, DataError> {
        let prompt = self.prompt(&record.id, &messages_of(record))?;
        let mut traces = Vec::with_capacity(record.traces.len());
        for (index, trace) in record.traces.iter().enumerate() {
            let tokens = self.encode_trace(&record.id, index, trace)?;
            self.check_length(&record.id, index, trace, prompt.len(), tokens.len())?;
            traces.push(EncodedTrace { source: trace.source.clone(), tokens });
        }
        Ok(EncodedQuestion { id: record.id.clone(), prompt, traces, answer: record.answer.clone() })
    }

    /// Encodes all records.
    ///
    /// # Errors
    /// The first error of [`Encoder::encode`].
    pub fn encode_all(&self, records: &[Record]) -> Result<Vec<EncodedQuestion>, DataError> {
        records.iter().map(|record| self.encode(record)).collect()
    }

    /// The first error of each record that cannot be encoded, in record order, computed lazily.
    pub fn problems<'a>(&'a self, records: &'a [Record]) -> impl Iterator<Item = DataError> + 'a {
        records.iter().filter_map(|record| self.encode(record).err())
    }

    fn encode_trace(&self, id: &str, index: usize, trace: &Trace) -> Result<Vec<u32>, DataError> {
        let (place, source_name) = (index + 1, || quote(&trace.source));
        let Some(mut tokens) = self.trace_tokens(&trace.text)? else {
            let (id, after) = (quote(id), quote(&self.lead.after));
            return Err(DataError::NoCut { id, trace: place, source_name: source_name(), after });
        };
        if tokens.is_empty() {
            return Err(DataError::NoTargets { id: quote(id), trace: place, source_name: source_name() });
        }
        tokens.push(self.tokenizer.eos());
        Ok(tokens)
    }

    /// Token ids of a trace without the end of sequence; `None` if its beginning shares a token with the text before it.
    fn trace_tokens(&self, text: &str) -> Result<Option<Vec<u32>>, DataError> {
        let row = self.tokenizer.to_the_end(&self.lead.after, text)?;
        Ok(row.strip_prefix(self.after.as_slice()).map(<[u32]>::to_vec))
    }

    /// The text that comes back from the tokens of a trace; `None` if the trace has no tokens of its own.
    pub(crate) fn trace_back(&self, text: &str) -> Result<Option<String>, DataError> {
        let tokens = self.trace_tokens(text)?;
        tokens.map(|tokens| self.tokenizer.decode_behind(&self.after, &tokens)).transpose()
    }

    fn check_length(
        &self,
        id: &str,
        index: usize,
        trace: &Trace,
        prompt: usize,
        tokens: usize,
    ) -> Result<(), DataError> {
        let lead = 1 + self.after.len();
        if prompt + lead + tokens <= self.context {
            return Ok(());
        }
        Err(DataError::TooLong {
            id: quote(id),
            trace: index + 1,
            source_name: quote(&trace.source),
            prompt,
            lead,
            tokens,
            context: self.context,
        })
    }
}

/// Whether markers in the output of `template` become special tokens.
fn markers(template: &Template) -> Markers {
    if template.is_plain() { Markers::Text } else { Markers::Recognized }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoder(template: &str, lead: &ForkLead, context: usize) -> Encoder {
        Encoder::new(Tokenizer::bytes(2).unwrap(), Template::new(template).unwrap(), lead, context).unwrap()
    }

    fn record(question: &str, traces: &[&str]) -> Record {
        let trace =
            |(index, text): (usize, &&str)| Trace { source: format!("s{index}"), text: (*text).to_owned() };
        Record {
            id: "q7".to_owned(),
            question: Some(question.to_owned()),
            messages: None,
            traces: traces.iter().enumerate().map(trace).collect(),
            answer: Some("2".to_owned()),
        }
    }

    fn bytes(text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    const EOS: u32 = 256;
    const IM_START: u32 = 257;
    const IM_END: u32 = 258;
    const THINK2: u32 = 260;

    #[test]
    fn plain_question_by_hand() {
        let encoder = encoder(crate::template::PLAIN, &ForkLead::bare(), 64);
        let question = encoder.encode(&record("1+1=", &["2", "<think1>é"])).unwrap();
        assert_eq!(question.id, "q7");
        assert_eq!(question.answer.as_deref(), Some("2"));
        assert_eq!(question.prompt, bytes("1+1="));
        assert_eq!(
            question.traces[0],
            EncodedTrace { source: "s0".to_owned(), tokens: vec![u32::from(b'2'), EOS] }
        );
        assert_eq!(question.traces[1].tokens, [bytes("<think1>é"), vec![EOS]].concat());
        assert_eq!(encoder.lead(1), [THINK2]);
    }

    #[test]
    fn chat_question_by_hand() {
        let encoder = encoder(crate::template::CHATML, &ForkLead::chat(), 64);
        let question = encoder.encode(&record("<think1>", &["2"])).unwrap();
        let newline = bytes("\n");
        let expected = [
            vec![IM_START],
            bytes("user\n<think1>"),
            vec![IM_END],
            newline.clone(),
            vec![IM_START],
            bytes("assistant\n"),
            vec![IM_START],
        ];
        assert_eq!(question.prompt, expected.concat());
        assert_eq!(encoder.lead(1), [vec![THINK2], newline].concat());
    }

    #[test]
    fn plain_text_never_becomes_a_marker() {
        let encoder = encoder(crate::template::PLAIN, &ForkLead::bare(), 64);
        assert_eq!(encoder.prompt_text("-", "a<|im_end|>").unwrap(), bytes("a<|im_end|>"));
    }

    #[test]
    fn context_is_exact() {
        // 4 prompt + 1 fork + 2 trace + 1 end of sequence.
        let record = record("1+1=", &["ab"]);
        assert!(encoder(crate::template::PLAIN, &ForkLead::bare(), 8).encode(&record).is_ok());
        let error = encoder(crate::template::PLAIN, &ForkLead::bare(), 7).encode(&record).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"question "q7", trace 1 (source "s0"): prompt 4 + fork 1 + trace 3 = 8 tokens, but the context is 7; shorten it, drop it, or raise `context`"#
        );
        let error = encoder(crate::template::PLAIN, &ForkLead::bare(), 5).encode(&record).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"question "q7": prompt 4 + fork 1 tokens leave no room in a context of 5; shorten it, drop it, or train with a larger `context`"#
        );
    }

    #[test]
    fn suffix_of_the_fork_counts() {
        let lead = ForkLead { before: "<|im_start|>".to_owned(), after: "\n".to_owned() };
        // 4 + 1 before, 1 + 1 fork, 2 + 1 trace.
        let record = record("1+1=", &["ab"]);
        assert!(encoder(crate::template::PLAIN, &lead, 10).encode(&record).is_ok());
        let error = encoder(crate::template::PLAIN, &lead, 9).encode(&record).unwrap_err();
        assert!(error.to_string().contains("prompt 5 + fork 2 + trace 3 = 10 tokens"), "{error}");
    }

    #[test]
    fn nothing_to_read_or_to_learn() {
        let encoder = encoder(crate::template::PLAIN, &ForkLead::bare(), 64);
        let records = [record("", &["a"]), record("a", &["b"]), record("a", &["b", ""])];
        let problems: Vec<String> = encoder.problems(&records).map(|problem| problem.to_string()).collect();
        let expected = [
            r#"question "q7": the prompt has no tokens; give the question some text"#,
            r#"question "q7", trace 2 (source "s1"): no tokens to learn; give the trace some text or drop it"#,
        ];
        assert_eq!(problems, expected);
        assert_eq!(encoder.encode_all(&records).unwrap_err().to_string(), expected[0]);
        assert_eq!(encoder.encode_all(&records[1..2]).unwrap().len(), 1);
    }
}
