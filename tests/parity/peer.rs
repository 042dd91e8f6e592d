//! The Python process with `transformers`.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// `logits.py`, which answers one line with one line.
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
            // On the CPU, and without a look at the network or a cache.
            .envs([("CUDA_VISIBLE_DEVICES", ""), ("HF_HUB_OFFLINE", "1"), ("TOKENIZERS_PARALLELISM", "false")])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("SSFT_PYTHON names {python:?}, which does not start"))?;
        let requests = process.stdin.take().context("stdin")?;
        let replies = BufReader::new(process.stdout.take().context("stdout")?);
        Ok(Self { process, requests, replies })
    }

    pub fn ask(&mut self, request: &Value) -> Result<Value> {
        // If the process is gone, the missing reply says so better than a broken pipe.
        let _ = writeln!(self.requests, "{request}");
        let mut reply = String::new();
        self.replies.read_line(&mut reply)?;
        let directory = &request["directory"];
        ensure!(!reply.is_empty(), "logits.py ended at {directory}; its own words are above (stderr)");
        Ok(serde_json::from_str(&reply)?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It waits for a line that will not come.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says something that the harness does not hide when the test passes.
pub fn notice(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
