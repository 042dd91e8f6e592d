//! Composition of shaders: imports are replaced by the text of the parts, constants are written at the top.

use std::fmt::Write;

/// A WGSL file of the folder `shaders/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Path within the folder, for example `parts/entry.wgsl`.
    pub path: &'static str,
    /// Content of the file.
    pub text: &'static str,
}

/// Beginning of a line that imports a part; the path follows, in double quotes.
const IMPORT: &str = "#import ";

/// Composes the shader whose file is `root`.
///
/// The result begins with one constant per define, `const NAME = 4u;`, followed by the text of `root`. A line
/// `#import "parts/NAME.wgsl"` is replaced by the text of that file, whose imports are replaced in turn. A part that was
/// imported before is not repeated. A comment says which file begins or continues at a line.
///
/// # Panics
/// If a file imports itself, directly or through others, if there is no file of an imported path, or if an import is
/// written in another way. The message names the files.
pub fn compose(files: &[File], root: &str, defines: &[(&str, u32)]) -> String {
    let mut text = String::new();
    for (name, value) in defines {
        _ = writeln!(text, "const {name} = {value}u;");
    }
    let mut composer = Composer { files, text, open: Vec::new(), done: Vec::new() };
    composer.append(root, "the table of shaders");
    composer.text
}

struct Composer<'a> {
    files: &'a [File],
    /// The result so far.
    text: String,
    /// Paths of the files that are being appended, each imported by the one before it.
    open: Vec<&'a str>,
    /// Paths of the files that were appended.
    done: Vec<&'a str>,
}

impl<'a> Composer<'a> {
    /// Appends the file `path`, which is imported at `origin`.
    fn append(&mut self, path: &str, origin: &str) {
        if self.done.contains(&path) {
            return;
        }
        let file = self.files.iter().find(|file| file.path == path);
        let File { path, text } = file.unwrap_or_else(|| panic!("{origin}: there is no file \"{path}\""));
        assert!(!self.open.contains(path), "{origin}: an import cycle, {} -> {path}", self.open.join(" -> "));
        self.open.push(path);
        self.comment(path);
        let mut is_interrupted = false;
        for (number, line) in (1..).zip(text.lines()) {
            let origin = format!("{path}, line {number}");
            if let Some(part) = imported(line, &origin) {
                self.append(part, &origin);
                is_interrupted = true;
                continue;
            }
            if is_interrupted && !line.trim().is_empty() {
                self.comment(&format!("{path}, line {number}"));
                is_interrupted = false;
            }
            self.text.push_str(line);
            self.text.push('\n');
        }
        self.open.pop();
        self.done.push(path);
    }

    fn comment(&mut self, content: &str) {
        _ = writeln!(self.text, "// ======== {content}");
    }
}

/// Path that a line imports; `None` if it imports nothing.
fn imported<'a>(line: &'a str, origin: &str) -> Option<&'a str> {
    let quoted = line.strip_prefix(IMPORT.trim_end())?.trim();
    let path = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Some(path.unwrap_or_else(|| panic!("{origin}: write an import as {IMPORT}\"parts/NAME.wgsl\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [File; 9] = [
        File {
            path: "root.wgsl",
            text: "// Root.\n\n#import \"a.wgsl\"\n#import \"b.wgsl\"\n\nfn root() {}\n",
        },
        File { path: "a.wgsl", text: "#import \"b.wgsl\"\nfn a() {}\n" },
        File { path: "b.wgsl", text: "fn b() {}" },
        File { path: "lost.wgsl", text: "fn lost() {}\n#import \"nowhere.wgsl\"\n" },
        File { path: "one.wgsl", text: "#import \"two.wgsl\"\n" },
        File { path: "two.wgsl", text: "\n#import \"three.wgsl\"\n" },
        File { path: "three.wgsl", text: "#import \"two.wgsl\"\n" },
        File { path: "self.wgsl", text: "#import \"self.wgsl\"\n" },
        File { path: "bare.wgsl", text: "#import b.wgsl\n" },
    ];

    #[test]
    fn parts_stand_once_where_they_are_imported_first() {
        let expected = "\
const LANES = 64u;
const QUADS = 2u;
// ======== root.wgsl
// Root.

// ======== a.wgsl
// ======== b.wgsl
fn b() {}
// ======== a.wgsl, line 2
fn a() {}

// ======== root.wgsl, line 6
fn root() {}
";
        assert_eq!(compose(&FILES, "root.wgsl", &[("LANES", 64), ("QUADS", 2)]), expected);
    }

    #[test]
    #[should_panic(expected = "lost.wgsl, line 2: there is no file \"nowhere.wgsl\"")]
    fn an_unknown_part_is_refused() {
        compose(&FILES, "lost.wgsl", &[]);
    }

    #[test]
    #[should_panic(expected = "the table of shaders: there is no file \"nothing.wgsl\"")]
    fn an_unknown_shader_is_refused() {
        compose(&FILES, "nothing.wgsl", &[]);
    }

    #[test]
    #[should_panic(
        expected = "three.wgsl, line 1: an import cycle, one.wgsl -> two.wgsl -> three.wgsl -> two.wgsl"
    )]
    fn a_cycle_is_refused() {
        compose(&FILES, "one.wgsl", &[]);
    }

    #[test]
    #[should_panic(expected = "self.wgsl, line 1: an import cycle, self.wgsl -> self.wgsl")]
    fn a_file_that_imports_itself_is_refused() {
        compose(&FILES, "self.wgsl", &[]);
    }

    #[test]
    #[should_panic(expected = "bare.wgsl, line 1: write an import as #import \"parts/NAME.wgsl\"")]
    fn an_import_without_quotes_is_refused() {
        compose(&FILES, "bare.wgsl", &[]);
    }
}
