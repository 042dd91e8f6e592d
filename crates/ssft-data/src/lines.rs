//! The lines of a text file, none of them longer than a limit.

use crate::error::LineFault;
use crate::words::one_line;
use std::io::{self, BufRead, Read};

/// Reads one line at a time, so a file that is no text at all ends at the limit instead of filling the memory.
pub struct Lines<R> {
    input: R,
    limit: usize,
    number: usize,
    bytes: Vec<u8>,
}

/// One line of a file.
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Its text without the line end and, on the first line, without the byte-order mark; or why it has none.
    pub text: Result<&'a str, LineFault>,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `input`, of at most `limit` bytes each, their line ends not counted.
    pub fn new(input: R, limit: usize) -> Self {
        Self { input, limit, number: 0, bytes: Vec::new() }
    }

    /// The next line, blank ones included, or nothing at the end of the input.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.bytes.clear();
        self.number += 1;
        // Room for a byte-order mark, CRLF and one byte more than allowed, which tells a line at the limit from
        // one beyond it.
        let room = (self.limit as u64).saturating_add(6);
        if self.input.by_ref().take(room).read_until(b'\n', &mut self.bytes)? == 0 {
            return Ok(None);
        }
        let too_long = strip(&self.bytes, self.number).len() > self.limit;
        if too_long && !self.bytes.ends_with(b"\n") {
            self.input.skip_until(b'\n')?;
        }
        let text = if too_long {
            Err(LineFault::TooLong { limit: self.limit })
        } else {
            let content = strip(&self.bytes, self.number);
            std::str::from_utf8(content).map_err(|error| LineFault::NotUtf8 { byte: error.valid_up_to() + 1 })
        };
        Ok(Some(Line { number: self.number, text }))
    }
}

/// The line without its end and, on the first line, without the byte-order mark.
fn strip(bytes: &[u8], number: usize) -> &[u8] {
    let bytes = if number == 1 { bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes) } else { bytes };
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Whether the JSON text `text` can only be an object.
pub fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// What the JSON parser said, without the position that it appends.
pub fn json_reason(error: &serde_json::Error) -> String {
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    one_line(message.strip_suffix(&position).unwrap_or(&message))
}
