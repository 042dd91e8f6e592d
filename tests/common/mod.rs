//! Shared parts of the tests of the whole program: the program in a temporary directory, tiny runs, readers of their files.

#![allow(dead_code, reason = "each test binary uses a part of this file")]

use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Flags of the smallest run that trains, saves and evaluates.
const TINY: [(&str, &str); 7] = [
    ("--steps", "6"),
    ("--train-questions", "40"),
    ("--eval-questions", "10"),
    ("--batch-questions", "2"),
    ("--difficulty", "1"),
    ("--save-every", "2"),
    ("--device", "cpu"),
];
/// Files of a model directory.
pub const MODEL_FILES: [&str; 7] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "forks.json",
];
/// Time limit of [`wait_until`]: longer than any step of a test takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Arguments of a run with the flags [`TINY`] and `different`; flags in `different` replace those of [`TINY`].
pub fn tiny(different: &str) -> String {
    let same = TINY.iter().filter(|(flag, _)| !different.split_whitespace().any(|word| word == *flag));
    let same: Vec<String> = same.map(|(flag, value)| format!("{flag} {value}")).collect();
    format!("train {} {different}", same.join(" "))
}

/// A Llama model of `transformers`: f32, seven weight files, no forking tokens, 320 rows.
pub const IN_PARTS: &str = "fixture-in-parts";
/// A Qwen3 model of `transformers`: bf16, one weight file, two forking tokens, rows without a token.
pub const WITH_FORKS: &str = "fixture";

/// Copies a model of `transformers` to the directory `model`.
pub fn fixture(home: &Home, name: &str) {
    copy_directory(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity").join(name),
        &home.path("model"),
    );
    // Expected logits of the parity tests, not a part of the model.
    fs::remove_file(home.path("model/logits.json")).unwrap();
}

/// Arguments of a short run on `data.jsonl` from the directory `model`.
pub fn train(different: &str) -> String {
    let common = "train --model model --data data.jsonl --device cpu --batch-questions 2 --match-tokens 4 --warmup-steps 0";
    format!("{common} {different}")
}

/// Temporary directory of one test, in which the program runs; removed after the test.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("create a directory");
        fs::write(path, content).expect("write a file");
    }

    /// The program with `arguments`, which are separated by blanks.
    pub fn program(&self, arguments: &str) -> Command {
        // Set by the kit for graphics cards, which runs the test on another machine than it was built on.
        let elsewhere = std::env::var_os("SSFT_PROGRAM");
        let mut command = Command::new(elsewhere.unwrap_or_else(|| env!("CARGO_BIN_EXE_ssft-wgpu").into()));
        command.current_dir(self.0.path()).args(arguments.split_whitespace());
        // With it, the program would print a backtrace besides its one line of error.
        command.env_remove("RUST_BACKTRACE");
        // Mesa prints a warning without it.
        if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
            command.env("XDG_RUNTIME_DIR", self.0.path());
        }
        command
    }

    /// Runs the program and waits for its end.
    pub fn run(&self, arguments: &str) -> Done {
        Done::of(self.program(arguments), arguments)
    }

    /// Starts the program and leaves it running.
    pub fn start(&self, arguments: &str) -> Running {
        let mut command = self.program(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Running(command.spawn().expect("the program starts"))
    }

    /// The lines of a run's `metrics.jsonl`.
    pub fn metrics(&self, run: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(run).join("metrics.jsonl")).expect("metrics.jsonl");
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Step and loss of every line of a run's `metrics.jsonl`.
    pub fn losses(&self, run: &str) -> Vec<(u64, f64)> {
        let pair = |line: &Value| Some((line["step"].as_u64()?, line["loss"].as_f64()?));
        self.metrics(run).iter().map(|line| pair(line).expect("step and loss")).collect()
    }

    /// The weights of a run's final model, byte for byte.
    pub fn weights(&self, run: &str) -> Vec<u8> {
        fs::read(self.path(run).join("model/model.safetensors")).expect("model.safetensors")
    }
}

/// A running program, killed at the end of the test.
pub struct Running(Child);

impl Running {
    /// Sends the signal `name`, as in `kill -s INT`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().expect("kill");
        assert!(sent.success(), "the program has ended");
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("the state of the program").is_none()
    }

    /// Waits for the end. Returns the exit status (`None` after a signal) and standard error.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let mut stderr = String::new();
        let pipe = self.0.stderr.take();
        pipe.expect("a pipe").read_to_string(&mut stderr).expect("the program prints UTF-8");
        (self.0.wait().expect("the program ends").code(), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if the program has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Result of a program that has ended.
#[derive(Debug)]
pub struct Done {
    pub arguments: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    pub fn of(mut command: Command, arguments: &str) -> Self {
        let output = command.stdin(Stdio::null()).output().expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Self { arguments: arguments.to_owned(), code: output.status.code(), stdout, stderr }
    }

    /// Fails unless the exit status is 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Error message of a program that ended with status 2, without `error: `; fails unless it is the only line.
    #[track_caller]
    pub fn refusal(&self) -> &str {
        println!("{}", self.stderr.trim_end());
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:#?}");
        assert_eq!(self.stderr.lines().count(), 1, "one line: {self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self.stderr.trim_end().strip_prefix("error: ").unwrap_or_else(|| panic!("{self:#?}"))
    }

    /// Standard output as JSON; fails unless it is one object on one line.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(self.stdout.starts_with('{') && self.stdout.lines().count() == 1, "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Waits until `is_so` returns true; fails after [`PATIENCE`].
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "timed out while waiting until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sorted names in a directory; empty if there is no directory.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("create a directory");
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).expect("copy a file");
    }
}

/// Fails unless all [`MODEL_FILES`] in `directory` can be read.
#[track_caller]
pub fn assert_model_is_whole(directory: &Path) {
    for name in MODEL_FILES {
        assert_file_is_whole(&directory.join(name));
    }
}

#[track_caller]
pub fn assert_file_is_whole(path: &Path) {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let fault = match path.extension().is_some_and(|extension| extension == "safetensors") {
        true => safetensors::SafeTensors::deserialize(&bytes).err().map(|error| error.to_string()),
        false => serde_json::from_slice::<Value>(&bytes).err().map(|error| error.to_string()),
    };
    assert_eq!(fault, None, "{}", path.display());
}

/// Content of a JSON file.
#[track_caller]
pub fn read_json(path: &Path) -> Value {
    assert_file_is_whole(path);
    serde_json::from_slice(&fs::read(path).expect("read")).expect("JSON")
}
