//! Python process with `transformers`.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Process of `logits.py`, which answers a line of JSON with a line of JSON.
pub struct Peer {
    process: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Peer {
    pub fn start(python: &OsStr) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/logits.py");
        let mut process = Command::new(python)
            .arg(script)
            // On the CPU, without network access.
            .envs([("CUDA_VISIBLE_DEVICES", ""), ("HF_HUB_OFFLINE", "1"), ("TOKENIZERS_PARALLELISM", "false")])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("SSFT_PYTHON is {python:?}, which cannot be started"))?;
        let requests = process.stdin.take().context("stdin")?;
        let replies = BufReader::new(process.stdout.take().context("stdout")?);
        Ok(Self { process, requests, replies })
    }

    pub fn ask(&mut self, request: &Value) -> Result<Value> {
        // A failure is ignored: if the process has ended, the missing reply gives a better message than a broken pipe.
        let _ = writeln!(self.requests, "{request}");
        let mut reply = String::new();
        self.replies.read_line(&mut reply)?;
        let directory = &request["directory"];
        ensure!(!reply.is_empty(), "logits.py ended at {directory}; its error is above (stderr)");
        Ok(serde_json::from_str(&reply)?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The process waits for the next request and does not end by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Prints a line that the test harness does not capture, so that it is shown when the test passes.
pub fn notice(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
