//! Tests of resumed runs: after a stop or a kill they give the same result as an uninterrupted run, bit for bit.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![cfg(unix)]

mod common;

use common::{Home, assert_file_is_whole, assert_model_is_whole, names, read_json, tiny, wait_until};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Number of steps of a run: enough for a signal to arrive before the end.
const STEPS: usize = 40;

/// Runs [`tiny`] with [`STEPS`] steps, without an interruption.
fn uninterrupted(home: &Home, flags: &str) {
    home.run(&tiny(&format!("--steps {STEPS} --eval-questions 0 --quiet {flags} --out whole"))).succeeded();
}

/// Fails unless `run` has the result of the uninterrupted run.
fn assert_as_uninterrupted(home: &Home, run: &str) {
    let expected: Vec<u64> = (1..=STEPS as u64).collect();
    let steps: Vec<u64> = home.losses(run).iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, expected, "each step once");
    assert_eq!(home.losses(run), home.losses("whole"));
    assert!(home.weights(run) == home.weights("whole"), "other weights");
    let forks = |run: &str| read_json(&home.path(run).join("model/forks.json"));
    assert_eq!(forks(run), forks("whole"), "coverage");
    let hidden = |directory: &str| {
        let names = names(&home.path(run).join(directory)).into_iter();
        names.filter(|name| name.starts_with('.') && name != ".lock").collect::<Vec<_>>()
    };
    assert_eq!((hidden(""), hidden("checkpoints")), (vec![], vec![]), "leftovers");
}

/// Steps of a run's checkpoints, in order; fails if one is incomplete.
fn whole_checkpoints(run: &Path) -> Vec<u64> {
    let named = |name: &String| name.strip_prefix("step-").and_then(|step| step.parse().ok());
    let mut steps: Vec<u64> = names(&run.join("checkpoints")).iter().filter_map(named).collect();
    steps.sort_unstable();
    for &step in &steps {
        let checkpoint = run.join(format!("checkpoints/step-{step}"));
        assert_model_is_whole(&checkpoint);
        assert_file_is_whole(&checkpoint.join("trainer/optimizer.safetensors"));
        assert_eq!(read_json(&checkpoint.join("trainer/state.json"))["step"], step);
    }
    steps
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn ctrl_c_saves_and_resume_continues() {
    let home = Home::new();
    uninterrupted(&home, "");
    let run = home.path("run");
    for (name, arguments) in [
        ("INT", tiny(&format!("--steps {STEPS} --eval-questions 0 --save-every 30 --out run"))),
        ("TERM", "train --resume --out run".to_owned()),
    ] {
        let before = lines(&run.join("metrics.jsonl"));
        let running = home.start(&arguments);
        wait_until("it has done a few steps", || lines(&run.join("metrics.jsonl")) > before + 3);
        running.signal(name);
        let (code, stderr) = running.wait();
        let last = stderr.lines().last().unwrap_or_default();
        let done = whole_checkpoints(&run).pop().expect("a checkpoint");
        assert_eq!(code, Some(130), "{stderr}");
        assert_eq!(
            last,
            format!("stopped: saved after step {done}; go on with: ssft-wgpu train --out run --resume")
        );
        assert!((before as u64) < done && done < STEPS as u64, "{done}");
    }
    let done = home.run("train --out run --resume").succeeded();
    assert!(done.stderr.contains("resumed  after step "), "{done:#?}");
    assert_as_uninterrupted(&home, "run");
}

/// Kills a run ten times, every second time while it writes a checkpoint, and resumes it each time.
#[test]
fn a_kill_at_any_moment_harms_no_checkpoint() {
    let home = Home::new();
    uninterrupted(&home, "--method ssft-random --save-every 1");
    let (run, mut newest) = (home.path("run"), 0);
    let checkpoints = run.join("checkpoints");
    let is_saving = || names(&checkpoints).iter().any(|name| name.starts_with(".unfinished"));
    for attempt in 0..10u64 {
        let arguments = match run.join("config.toml").exists() {
            true => "train --resume --out run".to_owned(),
            false => tiny(&format!(
                "--method ssft-random --steps {STEPS} --eval-questions 0 --save-every 1 --keep 3 --out run"
            )),
        };
        let mut running = home.start(&arguments);
        let mut saves =
            |saves: bool| wait_until("it saves", || is_saving() == saves || !running.is_running());
        let pause = match attempt % 2 {
            // During a save. The unfinished checkpoint of an earlier kill is removed at the start, before the first save.
            0 => {
                saves(false);
                saves(true);
                2 * attempt
            }
            // At an arbitrary time.
            _ => 60 * attempt,
        };
        std::thread::sleep(Duration::from_millis(pause));
        if !running.is_running() {
            break;
        }
        running.signal("KILL");
        running.wait();
        let steps = whole_checkpoints(&run);
        let last = steps.last().copied().unwrap_or(0);
        assert!(last >= newest, "step {newest} was saved, and {last} is the newest now");
        newest = last;
    }
    assert!(newest > 0, "no kill came after a checkpoint");
    home.run("train --resume --quiet --out run").succeeded();
    assert_as_uninterrupted(&home, "run");
}

#[test]
fn resume_refuses_changed_settings_and_damaged_checkpoints() {
    let home = Home::new();
    let start = tiny("--steps 4 --eval-questions 0 --quiet --out run");
    home.run(&start).succeeded();
    let resume = |flags: &str| home.run(&format!("train --resume --out run --steps 6 {flags}"));
    let back = home.run("train --resume --out run --steps 3");
    assert!(back.refusal().contains("--steps is less than the 4 that are done; give 4 or more"), "{back:#?}");
    for (flags, says) in [
        ("--seed 2", "the run was started with --seed 1, not 2"),
        ("--forks 5", "the run was started with another --forks; leave it out to resume"),
        ("--method sft", "the run was started with --method ssft, not sft"),
        ("--preset demo", "the run was started with another --preset; leave it out to resume"),
        ("--batch-questions 3", "the run was started with --batch-questions times --accumulate 2, not 3"),
        ("--train-questions 41", "the data is not what the run was started with"),
    ] {
        let done = resume(flags);
        assert!(done.refusal().contains(says), "{done:#?}");
    }
    let optimizer = home.path("run/checkpoints/step-4/trainer/optimizer.safetensors");
    let bytes = fs::read(&optimizer).unwrap();
    fs::write(&optimizer, &bytes[..bytes.len() / 2]).unwrap();
    let done = resume("");
    assert!(done.refusal().contains("run/checkpoints/step-4"), "{done:#?}");
    fs::remove_dir_all(home.path("run/checkpoints/step-4")).unwrap();
    let done = resume("").succeeded();
    assert!(done.stderr.contains("resumed  after step 2"), "the one before is still there: {done:#?}");
    assert_eq!(home.losses("run").len(), 6);
}

/// A finished run that is resumed prints its evaluation again, without training.
#[test]
fn a_finished_run_can_be_resumed() {
    let home = Home::new();
    home.run(&tiny("--quiet --out run")).succeeded();
    let (losses, weights) = (home.losses("run"), home.weights("run"));
    let again = home.run("train --resume --json --out run").succeeded();
    assert_eq!(again.json()["n_questions"], 10);
    assert!(losses == home.losses("run") && weights == home.weights("run"));
}

/// A run finds its data and its model from any working directory, and its data after a move.
#[test]
fn a_run_does_not_depend_on_the_working_directory() {
    let home = Home::new();
    home.run("data make --train 40 --test 1 --difficulty 1 --out made").succeeded();
    home.run(&tiny("--steps 1 --eval-questions 0 --quiet --out start")).succeeded();
    home.write("c.toml", "data = \"made/train.jsonl\"\nmodel = \"start/model\"\n");
    home.write("elsewhere/note", "");
    let from_elsewhere = |arguments: &str| {
        let mut program = home.program(arguments);
        program.current_dir(home.path("elsewhere"));
        common::Done::of(program, arguments)
    };
    let flags = "--config c.toml --batch-questions 2 --device cpu --quiet --out run";
    home.run(&format!("train --steps 2 {flags}")).succeeded();
    from_elsewhere("train --resume --out ../run --steps 3 --model ../start/model --quiet").succeeded();
    from_elsewhere("eval --model ../run --samples 0 --device cpu").succeeded();
    from_elsewhere("report ../run").succeeded();

    fs::rename(home.path("made"), home.path("moved")).unwrap();
    let gone = fs::canonicalize(home.path("")).unwrap().join("made/train.jsonl").display().to_string();
    let resumed = home.run("train --resume --out run --steps 4");
    assert_eq!(
        resumed.refusal(),
        format!("{gone}: no such file; put it back, or give its new path as --data")
    );
    let asked = home.run("eval --model run --device cpu");
    let says =
        "no such file, and it has the held-out questions of the run; put it back, or give --task or --data";
    assert_eq!(asked.refusal(), format!("{gone}: {says}"));
    home.run("train --resume --out run --steps 4 --data moved/train.jsonl --quiet").succeeded();
    from_elsewhere("train --resume --out ../run --steps 5 --quiet").succeeded();
    assert_eq!(home.losses("run").len(), 5);
}
