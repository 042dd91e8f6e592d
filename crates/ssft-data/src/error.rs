//! Errors of the crate. Each message is one line: the fault, its place, the remedy.
//!
//! Messages write settings by name in backticks, for example `` `context` ``; command line and web page spell them
//! in their own form.

use std::io;
use thiserror::Error;

/// A fault of a data file, a model's text files, a question or a limit.
#[derive(Debug, Error)]
pub enum DataError {
    /// The path does not exist.
    #[error("{path}: no such file; check the path, or make one with `data make`")]
    Missing {
        /// The path as given.
        path: String,
    },
    /// The path exists, but reading fails.
    #[error("{path}: cannot be read ({reason}); check the path and its permissions")]
    Read {
        /// The path as given.
        path: String,
        /// Message of the operating system.
        reason: String,
    },
    /// A file could not be written.
    #[error("{path}: cannot be written ({reason}); check the folder, its permissions and the free space")]
    Write {
        /// The path as given.
        path: String,
        /// Message of the operating system.
        reason: String,
    },
    /// A data file without records.
    #[error("{file}: holds no records; put one JSON object on each line")]
    NoRecords {
        /// The file's name.
        file: String,
    },
    /// One line of a data file is invalid.
    #[error("{file}:{line}: {fault}")]
    Line {
        /// The file's name.
        file: String,
        /// Line number, from 1.
        line: usize,
        /// The fault of the line.
        fault: LineFault,
    },
    /// More traces than forks (M > N), so that no injective assignment exists.
    #[error(
        "question {id}: {traces} traces but only {forks} forks; drop traces or raise `forks` to {traces}"
    )]
    TooManyTraces {
        /// The question's id, quoted.
        id: String,
        /// Number of traces of the question, M.
        traces: usize,
        /// Number of forks, N.
        forks: usize,
    },
    /// A question whose rendered prompt has no tokens.
    #[error("question {id}: the prompt has no tokens; give the question some text")]
    EmptyPrompt {
        /// The question's id, quoted.
        id: String,
    },
    /// A trace without tokens, whose only target would be the end of the sequence.
    #[error(
        "question {id}, trace {trace} (source {source_name}): no tokens to learn; give the trace some text or drop it"
    )]
    NoTargets {
        /// The question's id, quoted.
        id: String,
        /// Position of the trace, from 1.
        trace: usize,
        /// The trace's source, quoted.
        source_name: String,
    },
    /// A trace whose first characters share a token with the fixed text behind the forking token, so that no prompt ends
    /// between them.
    #[error(
        "question {id}, trace {trace} (source {source_name}): its beginning and the text {after} behind the forking token become one token; begin it with another character, or choose `fork-lead` bare"
    )]
    NoCut {
        /// The question's id, quoted.
        id: String,
        /// Position of the trace, from 1.
        trace: usize,
        /// The trace's source, quoted.
        source_name: String,
        /// The text behind the forking token, quoted.
        after: String,
    },
    /// A row (prompt, fork, trace) longer than the context.
    #[error(
        "question {id}, trace {trace} (source {source_name}): prompt {prompt} + fork {lead} + trace {tokens} = {} tokens, but the context is {context}; shorten it, drop it, or raise `context`",
        prompt + lead + tokens
    )]
    TooLong {
        /// The question's id, quoted.
        id: String,
        /// Position of the trace, from 1.
        trace: usize,
        /// The trace's source, quoted.
        source_name: String,
        /// Number of prompt tokens.
        prompt: usize,
        /// Number of tokens of the lead: the forking token and the fixed tokens behind it.
        lead: usize,
        /// Number of trace tokens, end of sequence included.
        tokens: usize,
        /// Longest row, in tokens.
        context: usize,
    },
    /// A prompt so long that no answer token fits into the context.
    #[error(
        "question {id}: prompt {prompt} + fork {lead} tokens leave no room in a context of {context}; shorten it, drop it, or train with a larger `context`"
    )]
    PromptTooLong {
        /// The question's id, quoted.
        id: String,
        /// Number of prompt tokens.
        prompt: usize,
        /// Number of tokens of the lead: the forking token and the fixed tokens behind it.
        lead: usize,
        /// Longest row, in tokens.
        context: usize,
    },
    /// A file of a model directory has invalid content.
    #[error("{file}: {reason}; {remedy}")]
    ModelFile {
        /// The file's name.
        file: String,
        /// The fault.
        reason: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// A vocabulary size below the number of bytes and special tokens.
    #[error(
        "a vocabulary of {asked} tokens is too small: 256 bytes, the special tokens and {forks} forks need {least}; ask for at least {least}"
    )]
    VocabularyTooSmall {
        /// Requested size in tokens.
        asked: usize,
        /// Number of forks.
        forks: usize,
        /// Smallest valid size in tokens.
        least: usize,
    },
    /// The tokenizer library reported an error.
    #[error("the tokenizer cannot {action} ({reason}); check that tokenizer.json belongs to this model")]
    Tokenizer {
        /// The operation that failed, for example `encode the text`.
        action: &'static str,
        /// Message of the library.
        reason: String,
    },
    /// A text that spells a mark of this program.
    #[error("a text contains {mark}, which this program adds to texts as a mark; take it out")]
    Reserved {
        /// The mark.
        mark: &'static str,
    },
    /// The chat template does not compile.
    #[error("chat template: {reason}; correct the model's chat_template")]
    TemplateSyntax {
        /// Message of the template engine, with the line number.
        reason: String,
    },
    /// Rendering a question with the chat template failed.
    #[error("chat template: {reason}; change the messages, or the model's chat_template")]
    TemplateRender {
        /// Message of the template engine, or of the template's own `raise_exception`.
        reason: String,
    },
    /// Rendering exceeded its work budget.
    #[error(
        "chat template: stopped after {fuel} units of work, it probably never ends; correct the model's chat_template"
    )]
    TemplateEndless {
        /// The exhausted budget, in units of work.
        fuel: u64,
    },
}

impl DataError {
    /// The error for a failure to open or read the file at `path`.
    pub fn reading(path: String, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Read { path, reason: error.to_string() },
        }
    }
}

/// A fault of one line of a data file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineFault {
    /// Longer than the limit.
    #[error("longer than {limit} bytes; put one question on each line and shorten its traces")]
    TooLong {
        /// Longest accepted line in bytes.
        limit: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("not valid UTF-8 at byte {byte}; save the file as UTF-8")]
    NotUtf8 {
        /// Position of the first invalid byte in the line, from 1.
        byte: usize,
    },
    /// Not JSON.
    #[error("not valid JSON at column {column} ({reason}); put one complete JSON object on each line")]
    NotJson {
        /// Column in bytes, from 1.
        column: usize,
        /// Message of the parser.
        reason: String,
    },
    /// A value that Python writes and JSON does not have.
    #[error("{key} holds {}", crate::json::in_words(found))]
    NoValue {
        /// Place of the value, for example `traces[0].text`.
        key: String,
        /// The spelling, for example `NaN`, or half of a surrogate pair.
        found: String,
    },
    /// A JSON value that is not an object.
    #[error(
        "not a JSON object; write {{\"id\":..,\"question\":..,\"traces\":[{{\"source\":..,\"text\":..}}],\"answer\":..}}"
    )]
    NotObject,
    /// A field is missing, unknown, duplicated or of the wrong type.
    #[error(
        "{reason}; a record has id, question or messages, traces (each source and text) and, if known, answer"
    )]
    Field {
        /// Message of the parser, which names the field.
        reason: String,
    },
    /// `id` is the empty string.
    #[error("the id is empty; give every question an id of its own")]
    EmptyId,
    /// The id is that of an earlier line.
    #[error("id {id} is already used on line {first}; give every question an id of its own")]
    DuplicateId {
        /// The id, quoted.
        id: String,
        /// Line number of the first occurrence.
        first: usize,
    },
    /// Both `question` and `messages` are present.
    #[error("question {id} has both \"question\" and \"messages\"; keep one of them")]
    TwoQuestions {
        /// The question's id, quoted.
        id: String,
    },
    /// Neither `question` nor `messages` is present.
    #[error("question {id} has neither \"question\" nor \"messages\"; add one of them")]
    NoQuestion {
        /// The question's id, quoted.
        id: String,
    },
    /// `question` is empty or white space.
    #[error("question {id} has an empty \"question\"; write its text or drop the line")]
    EmptyQuestion {
        /// The question's id, quoted.
        id: String,
    },
    /// `messages` is an empty list.
    #[error("question {id} has an empty \"messages\" list; add a message or drop the line")]
    EmptyMessages {
        /// The question's id, quoted.
        id: String,
    },
    /// A message with an unknown role.
    #[error("question {id}, message {message}: unknown role {role}; use system, user or assistant")]
    UnknownRole {
        /// The question's id, quoted.
        id: String,
        /// Position of the message, from 1.
        message: usize,
        /// The role, quoted.
        role: String,
    },
    /// A message without content: of the user, or an earlier answer.
    #[error("question {id}, message {message}: empty \"content\"; write its text or drop the message")]
    EmptyMessage {
        /// The question's id, quoted.
        id: String,
        /// Position of the message, from 1.
        message: usize,
    },
    /// `messages` without a message of the user.
    #[error("question {id} has no message of the user in \"messages\"; add one or drop the line")]
    NoUser {
        /// The question's id, quoted.
        id: String,
    },
    /// `messages` that end with an answer, which would be a part of the prompt.
    #[error(
        "question {id}, message {message}: an answer of the assistant at the end of the prompt; move it into \"traces\""
    )]
    EndsWithAnswer {
        /// The question's id, quoted.
        id: String,
        /// Position of the message, from 1.
        message: usize,
    },
    /// `traces` is an empty list.
    #[error("question {id} has no traces; add at least one or drop the line")]
    NoTraces {
        /// The question's id, quoted.
        id: String,
    },
    /// A trace whose text is empty or white space.
    #[error("question {id}, trace {trace} (source {source_name}): empty text; write it or drop the trace")]
    EmptyTrace {
        /// The question's id, quoted.
        id: String,
        /// Position of the trace, from 1.
        trace: usize,
        /// The trace's source, quoted.
        source_name: String,
    },
}
