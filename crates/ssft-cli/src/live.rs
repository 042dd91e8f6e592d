//! Display of answers during decoding: a line for each fork on a terminal, a plain stream elsewhere.

use crate::voice::Voice;
use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use ssft_data::forks::fork_name;
use ssft_decode::Finish;
use std::io::{IsTerminal, Write};

/// View of the forks' texts: the partial texts during decoding, then the final texts on standard output.
pub struct Live {
    names: Vec<String>,
    texts: Vec<String>,
    view: View,
}

enum View {
    /// One fork: each piece of its text when it is decoded.
    Text,
    /// Several forks on a terminal: a line each, with the end of the text so far.
    Lines { _all: MultiProgress, lines: Vec<ProgressBar> },
    /// Several forks elsewhere: each text when it has ended.
    Ended,
}

impl Live {
    /// A view of `forks`, counted from 0. [`Voice::Quiet`] prints each text when it has ended, also on a terminal.
    pub fn new(forks: &[usize], voice: Voice) -> Self {
        let names: Vec<String> = forks.iter().map(|&fork| fork_name(fork)).collect();
        let view = match names.len() {
            _ if voice == Voice::Quiet => View::Ended,
            1 => View::Text,
            _ if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() => lines(&names),
            _ => View::Ended,
        };
        Self { texts: vec![String::new(); names.len()], names, view }
    }

    /// Adds text to the fork at index `row` of those shown; `finish` comes with its last piece.
    pub fn hear(&mut self, row: usize, text: &str, finish: Option<Finish>) {
        self.texts[row].push_str(text);
        match &self.view {
            View::Text => print(text),
            View::Lines { lines, .. } => lines[row].set_message(end_of(&self.texts[row], finish)),
            View::Ended if finish.is_some() => print(&self.block(row)),
            View::Ended => {}
        }
    }

    /// Prints the final texts, then `conclusion`.
    pub fn end(self, conclusion: &str) {
        match &self.view {
            View::Text => print("\n"),
            View::Lines { lines, .. } => {
                // All lines are cleared before anything is printed: clearing one erases the text printed in its place.
                lines.iter().for_each(ProgressBar::finish_and_clear);
                (0..self.names.len()).for_each(|row| print(&self.block(row)));
            }
            View::Ended => {}
        }
        if !conclusion.is_empty() {
            print(&format!("{conclusion}\n"));
        }
    }

    /// `<think1>  text`; further lines of the text are indented below the first.
    fn block(&self, row: usize) -> String {
        let indent = format!("\n{:10}", "");
        format!("{:<9} {}\n", self.names[row], self.texts[row].trim_end().replace('\n', &indent))
    }
}

fn lines(names: &[String]) -> View {
    let all = MultiProgress::new();
    let style = ProgressStyle::with_template("{prefix:<9} {wide_msg}");
    let line = |name: &String| {
        let line = all.add(ProgressBar::no_length()).with_prefix(name.clone());
        match &style {
            Ok(style) => line.with_style(style.clone()),
            Err(_) => line,
        }
    };
    View::Lines { lines: names.iter().map(line).collect(), _all: all }
}

/// The longest end of a text that fits on a line of the terminal; ` ■` marks a finished text.
fn end_of(text: &str, finish: Option<Finish>) -> String {
    let room = (Term::stderr().size().1 as usize).saturating_sub(14).max(20);
    let shown: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let tail: String = shown[shown.len().saturating_sub(room)..].iter().collect();
    if finish.is_some() { format!("{tail} ■") } else { tail }
}

/// `print!` followed by a flush.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        panic!("failed printing to stdout: {error}");
    }
}
