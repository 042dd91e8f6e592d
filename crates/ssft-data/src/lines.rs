//! Lines of a text file, with a limit on their length.

use crate::error::LineFault;
use crate::words::one_line;
use std::io::{self, BufRead, Read};

/// Bytes read beyond the limit: a byte-order mark (3), CRLF (2), and one byte that tells a line at the limit from a
/// longer one.
const BYTES_BEYOND_LIMIT: u64 = 6;

/// Reader of one line at a time. Memory is bounded by the limit, also for a binary file without line ends.
pub struct Lines<R> {
    input: R,
    limit: usize,
    number: usize,
    bytes: Vec<u8>,
}

/// One line of a file.
pub struct Line<'a> {
    /// Line number, counted from 1.
    pub number: usize,
    /// Text without the line end and, on line 1, without the byte-order mark; or the fault of the line.
    pub text: Result<&'a str, LineFault>,
}

impl<R: BufRead> Lines<R> {
    /// A reader of `input` that accepts lines of at most `limit` bytes, without the line end.
    pub fn new(input: R, limit: usize) -> Self {
        Self { input, limit, number: 0, bytes: Vec::new() }
    }

    /// The next line, which may be blank; `None` at the end of the input.
    ///
    /// # Errors
    /// An error of the underlying reader. A line that is too long or not UTF-8 is reported in [`Line::text`] instead.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.bytes.clear();
        self.number += 1;
        let room = (self.limit as u64).saturating_add(BYTES_BEYOND_LIMIT);
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

/// A line without its line end and, on line 1, without the byte-order mark.
fn strip(bytes: &[u8], number: usize) -> &[u8] {
    let bytes = if number == 1 { bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes) } else { bytes };
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Whether the first character of the JSON text `text` opens an object.
pub fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The message of the JSON parser without its trailing position.
pub fn json_reason(error: &serde_json::Error) -> String {
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    one_line(message.strip_suffix(&position).unwrap_or(&message))
}
