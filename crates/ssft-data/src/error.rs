//! What can be wrong with the text, files and limits a user hands over.
//!
//! Every message is one line: what is wrong, where, and what to do about it.

use std::io;
use thiserror::Error;

/// Why text could not become tokens.
#[derive(Debug, Error)]
pub enum DataError {
    /// The path does not exist.
    #[error("{path}: no such file; check the path, or make a data file with `ssft-wgpu data make`")]
    Missing {
        /// The path as given.
        path: String,
    },
    /// The path exists, but its bytes cannot be read.
    #[error("{path}: cannot be read ({reason}); check the path and its permissions")]
    Read {
        /// The path as given.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A file could not be written.
    #[error("{path}: cannot be written ({reason}); check the folder, its permissions and the free space")]
    Write {
        /// The path as given.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A data file without a single record.
    #[error("{file}: holds no records; put one JSON object on each line")]
    NoRecords {
        /// The file's name.
        file: String,
    },
    /// One line of a data file is unusable.
    #[error("{file}:{line}: {fault}")]
    Line {
        /// The file's name.
        file: String,
        /// Line number, from 1.
        line: usize,
        /// What is wrong with the line.
        fault: LineFault,
    },
    /// More traces than forks: no injective assignment exists.
    #[error("question {id}: {traces} traces but only {forks} forks; drop traces or use --forks {traces}")]
    TooManyTraces {
        /// The question's id, quoted.
        id: String,
        /// Its number of traces, M.
        traces: usize,
        /// The number of forks, N.
        forks: usize,
    },
    /// A question that renders to no tokens at all.
    #[error("question {id}: the prompt has no tokens; give the question some text")]
    EmptyPrompt {
        /// The question's id, quoted.
        id: String,
    },
    /// A trace that leaves nothing to learn but the end of the sequence.
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
    /// A row that does not fit the model's context.
    #[error(
        "question {id}, trace {trace} (source {source_name}): prompt {prompt} + fork {lead} + trace {tokens} = {} tokens, but the context is {context}; shorten it, drop it, or raise --context",
        prompt + lead + tokens
    )]
    TooLong {
        /// The question's id, quoted.
        id: String,
        /// Position of the trace, from 1.
        trace: usize,
        /// The trace's source, quoted.
        source_name: String,
        /// Tokens of the prompt.
        prompt: usize,
        /// The forking token and the tokens that always follow it.
        lead: usize,
        /// Tokens of the trace, end of sequence included.
        tokens: usize,
        /// The limit.
        context: usize,
    },
    /// A question that leaves no room for an answer.
    #[error(
        "question {id}: prompt {prompt} + fork {lead} tokens leave no room in a context of {context}; shorten it, drop it, or train with a larger --context"
    )]
    PromptTooLong {
        /// The question's id, quoted.
        id: String,
        /// Tokens of the prompt.
        prompt: usize,
        /// The forking token and the tokens that always follow it.
        lead: usize,
        /// The limit.
        context: usize,
    },
    /// A file of a model directory is not what its name says.
    #[error("{file}: {reason}; {remedy}")]
    ModelFile {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A vocabulary that cannot hold the bytes and the special tokens.
    #[error(
        "a vocabulary of {asked} tokens is too small: 256 bytes, the special tokens and {forks} forks need {least}; ask for at least {least}"
    )]
    VocabularyTooSmall {
        /// The size asked for.
        asked: usize,
        /// Number of forks.
        forks: usize,
        /// The smallest size that works.
        least: usize,
    },
    /// The tokenizer's own machinery failed.
    #[error("the tokenizer cannot {action} ({reason}); check that tokenizer.json belongs to this model")]
    Tokenizer {
        /// `encode the text`, `decode the tokens` ...
        action: &'static str,
        /// What the library said.
        reason: String,
    },
    /// The chat template does not compile.
    #[error("chat template: {reason}; correct the model's chat_template")]
    TemplateSyntax {
        /// What the template engine said, with its line.
        reason: String,
    },
    /// The chat template stopped while it rendered a question.
    #[error("chat template: {reason}; change the messages, or the model's chat_template")]
    TemplateRender {
        /// What the template engine, or the template's own `raise_exception`, said.
        reason: String,
    },
    /// The chat template does more work than any prompt needs.
    #[error(
        "chat template: stopped after {fuel} units of work, it probably never ends; correct the model's chat_template"
    )]
    TemplateEndless {
        /// The budget that ran out.
        fuel: u64,
    },
}

impl DataError {
    /// Why the file at `path` could not be opened or read.
    pub fn reading(path: String, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Read { path, reason: error.to_string() },
        }
    }
}

/// What is wrong with one line of a data file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineFault {
    /// Longer than the limit.
    #[error("longer than {limit} bytes; put one question on each line and shorten its traces")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Bytes that are not text.
    #[error("not valid UTF-8 at byte {byte}; save the file as UTF-8")]
    NotUtf8 {
        /// Position of the first bad byte in the line, from 1.
        byte: usize,
    },
    /// Not JSON.
    #[error("not valid JSON at column {column} ({reason}); put one complete JSON object on each line")]
    NotJson {
        /// Column in bytes, from 1.
        column: usize,
        /// What the parser said.
        reason: String,
    },
    /// JSON, but not an object.
    #[error(
        "not a JSON object; write {{\"id\":..,\"question\":..,\"traces\":[{{\"source\":..,\"text\":..}}],\"answer\":..}}"
    )]
    NotObject,
    /// A field is missing, unknown, doubled or of the wrong type.
    #[error(
        "{reason}; a record has id, question or messages, traces (each source and text) and, if known, answer"
    )]
    Field {
        /// What the parser said, naming the field.
        reason: String,
    },
    /// `id` is the empty string.
    #[error("the id is empty; give every question an id of its own")]
    EmptyId,
    /// The id occurred before.
    #[error("id {id} is already used on line {first}; give every question an id of its own")]
    DuplicateId {
        /// The id, quoted.
        id: String,
        /// The line that used it first.
        first: usize,
    },
    /// Both ways to state the question.
    #[error("question {id} has both \"question\" and \"messages\"; keep one of them")]
    TwoQuestions {
        /// The question's id, quoted.
        id: String,
    },
    /// No way to state the question.
    #[error("question {id} has neither \"question\" nor \"messages\"; add one of them")]
    NoQuestion {
        /// The question's id, quoted.
        id: String,
    },
    /// `question` has no visible character.
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
    /// A message of somebody unknown.
    #[error("question {id}, message {message}: unknown role {role}; use system, user or assistant")]
    UnknownRole {
        /// The question's id, quoted.
        id: String,
        /// Position of the message, from 1.
        message: usize,
        /// The role, quoted.
        role: String,
    },
    /// `traces` is an empty list.
    #[error("question {id} has no traces; add at least one or drop the line")]
    NoTraces {
        /// The question's id, quoted.
        id: String,
    },
    /// A trace without a visible character.
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
