//! The encoder of a run: tokenizer, prompt template and the text around forking tokens.

use crate::error::RunError;
use crate::questions::QuestionForm;
use crate::settings::{LeadChoice, PromptForm, Settings, TemplateChoice};
use ssft_data::encode::Encoder;
use ssft_data::forks::ForkLead;
use ssft_data::record::Record;
use ssft_data::template::{CHATML_OPENING, Date, Template};
use ssft_data::tokenizer::Tokenizer;
use ssft_model::directory::TextSide;

/// The choices of the user that an encoder depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendering {
    /// How a question becomes a prompt.
    pub template: TemplateChoice,
    /// Text around a forking token.
    pub fork_lead: LeadChoice,
    /// Longest row, in tokens; a model's own limit may be lower.
    pub context: usize,
    /// Day that a template with a date in it shows. Without one, such a template fails.
    pub date: Option<Date>,
}

impl Rendering {
    /// The model's own template, lead and context.
    pub fn of_model(model: &TextSide) -> Self {
        let context = model.shape.max_position_embeddings;
        Self { template: TemplateChoice::Auto, fork_lead: LeadChoice::Auto, context, date: None }
    }

    /// The choices in `settings`, for the day `date`.
    pub fn new(settings: &Settings, date: Option<Date>) -> Self {
        let Settings { template, fork_lead, context, .. } = *settings;
        Self { template, fork_lead, context, date }
    }

    fn template(&self, template: Template) -> Template {
        match &self.date {
            Some(date) => template.on(*date),
            None => template,
        }
    }
}

/// An encoder with the text around its forking tokens.
pub type Encoding = (Encoder, ForkLead);

/// The encoder of a loaded model.
///
/// The template is the one asked for, else the model's own, else ChatML if there are chats, else plain. The lead is the one asked
/// for, else that of the model's `forks.json`, else the paper's chat form after a ChatML template, else bare.
///
/// # Errors
/// [`RunError::Model`] if a template cannot be used, chats have no template, or the tokenizer lacks ChatML's tokens.
pub fn of_model(
    model: &TextSide,
    rendering: &Rendering,
    questions: QuestionForm,
) -> Result<Encoding, RunError> {
    let has_chatml = model.tokenizer.token_id(CHATML_OPENING).is_some();
    let template = match (rendering.template, &model.template, questions) {
        (TemplateChoice::Auto, Some(own), _) => Template::new(own).map_err(RunError::model)?,
        (TemplateChoice::Auto, None, QuestionForm::Chat) if !has_chatml => {
            return Err(RunError::model(
                "the model has no chat template, but there are chats (\"messages\"); `template` plain joins their messages without roles",
            ));
        }
        (TemplateChoice::Chatml, ..) | (TemplateChoice::Auto, None, QuestionForm::Chat) => {
            Template::chatml().map_err(RunError::model)?
        }
        (TemplateChoice::Plain, ..) | (TemplateChoice::Auto, None, QuestionForm::Text) => Template::plain(),
    };
    let template = rendering.template(template);
    let form = if !template.is_plain() && has_chatml { PromptForm::Chatml } else { PromptForm::Plain };
    let lead = match (rendering.fork_lead, &model.forks) {
        (LeadChoice::Auto, Some(forks)) => forks.lead.clone(),
        (choice, _) => choice.lead(form),
    };
    let writes_chatml = lead.before.contains(CHATML_OPENING) || rendering.template == TemplateChoice::Chatml;
    if writes_chatml && !has_chatml {
        return Err(RunError::model(format!(
            "the tokenizer has no {CHATML_OPENING}, which `template` chatml and `fork-lead` chat write; use auto, plain or bare"
        )));
    }
    let context = rendering.context.min(model.shape.max_position_embeddings);
    let encoder = Encoder::new(model.tokenizer.clone(), template, &lead, context).map_err(RunError::model)?;
    Ok((encoder, lead))
}

/// Vocabulary of a new model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// Single bytes.
    Bytes,
    /// Byte-level pieces learned from the records, up to this number of tokens.
    Learned(usize),
}

/// The encoder of a new model with `forks` forking tokens: plain prompts where all questions are text, ChatML where one is a chat.
///
/// # Errors
/// [`RunError::Data`] if the vocabulary is too small.
pub fn of_records(
    records: &[&Record],
    vocabulary: Vocabulary,
    forks: usize,
    rendering: &Rendering,
) -> Result<Encoding, RunError> {
    let tokenizer = match vocabulary {
        Vocabulary::Bytes => Tokenizer::bytes(forks),
        Vocabulary::Learned(size) => {
            let texts: Vec<&str> = records.iter().copied().flat_map(texts_of).collect();
            Tokenizer::train_bytes(&texts, size, forks)
        }
    };
    let form = match (rendering.template, QuestionForm::of(records.iter().copied())) {
        (TemplateChoice::Chatml, _) | (TemplateChoice::Auto, QuestionForm::Chat) => PromptForm::Chatml,
        (TemplateChoice::Plain, _) | (TemplateChoice::Auto, QuestionForm::Text) => PromptForm::Plain,
    };
    let template = match form {
        PromptForm::Chatml => Template::chatml().map_err(RunError::data)?,
        PromptForm::Plain => Template::plain(),
    };
    let lead = rendering.fork_lead.lead(form);
    let tokenizer = tokenizer.map_err(RunError::data)?;
    let encoder = Encoder::new(tokenizer, template, &lead, rendering.context).map_err(RunError::data)?;
    Ok((encoder, lead))
}

fn texts_of(record: &Record) -> impl Iterator<Item = &str> {
    let messages = record.messages.iter().flatten().map(|message| message.content.as_str());
    let traces = record.traces.iter().map(|trace| trace.text.as_str());
    record.question.as_deref().into_iter().chain(messages).chain(traces)
}
