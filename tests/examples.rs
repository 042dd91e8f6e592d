//! Tests that every example runs and prints what its header says.

use std::path::PathBuf;
use std::process::Command;

/// Path of an example, which Cargo builds with the tests, next to the directory of this test's binary.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("target/release");
    profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

fn output(name: &str) -> String {
    let output = Command::new(example(name)).output();
    let output =
        output.expect("examples are built by `cargo test` without --test, or by `cargo build --examples`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn match_traces_matches_four_traces() {
    let text = output("match_traces");
    assert_eq!(text.lines().filter(|line| line.starts_with("<think")).count(), 4, "{text}");
}

#[test]
fn train_in_memory_learns() {
    let text = output("train_in_memory");
    let losses: Vec<f64> =
        text.lines().filter_map(|line| line.split_whitespace().nth(3)?.parse().ok()).collect();
    assert_eq!(losses.len(), 10, "{text}");
    assert!(losses[9] < losses[0] / 2.0, "{text}");
}
