//! Tests of `bench`: its output, its error messages, and its count of memory. No test depends on a measured time.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use common::{Done, Home, names, read_json};
use serde_json::{Value, json};
use ssft_wgpu::bench::memory::peak_bytes;
use ssft_wgpu::kernels::adapters::adapters;

const HEAD_KERNELS: [&str; 4] =
    ["linear_nll", "linear_nll_hidden_gradient", "linear_nll_weight_gradient", "linear_nll_gradients"];
const OTHER_KERNELS: [&str; 14] = [
    "linear",
    "linear_gradients",
    "linear_onto",
    "linear_onto_gradients",
    "rms_norm",
    "rms_norm_gradients",
    "rotary",
    "rotary_gradients",
    "swiglu",
    "swiglu_gradients",
    "tree_attention",
    "tree_attention_gradients",
    "adamw",
    "sum_of_squares",
];
const MIB: u64 = 1 << 20;

/// Runs `bench kernels`; returns its JSON file and its table.
fn bench(flags: &str) -> (Value, String) {
    let home = Home::new();
    let arguments = format!("bench kernels --json out/bench.json {flags}");
    let mut program = home.program(&arguments);
    // The forward pass on the CPU has one tile for each thread; with a fixed number of threads its memory is the same everywhere.
    program.env("RAYON_NUM_THREADS", "2");
    let done = Done::of(program, &arguments).succeeded();
    assert_eq!(names(&home.path("out")), ["bench.json"], "no unfinished file is left");
    (read_json(&home.path("out/bench.json")), done.stdout)
}

fn rows(figures: &Value) -> &Vec<Value> {
    figures["rows"].as_array().unwrap()
}

fn check_schema(figures: &Value, device: &str) {
    for key in ["machine", "adapter", "commit"] {
        assert!(figures[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {figures}");
    }
    let commit = figures["commit"].as_str().unwrap();
    assert!(commit == "unknown" || commit.len() == 12, "{commit}");
    let found: Vec<_> = rows(figures)
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row["variant"].as_str().unwrap()))
        .collect();
    let expected: Vec<_> = HEAD_KERNELS
        .into_iter()
        .chain(OTHER_KERNELS)
        .flat_map(|kernel| ["fused", "reference"].map(|variant| (kernel, variant)))
        .collect();
    assert_eq!(found, expected);
    for row in rows(figures) {
        check_row(row, device);
    }
}

fn check_row(row: &Value, device: &str) {
    let name = row["name"].as_str().unwrap();
    let vocab = if HEAD_KERNELS.contains(&name) { json!(40) } else { Value::Null };
    assert_eq!(row["shape"], json!({"rows": 20, "width": 6, "vocab": vocab}), "{row}");
    assert_eq!((&row["device"], &row["runs"]), (&json!(device), &json!(2)), "{row}");
    let (median, min) = (row["median_ms"].as_f64().unwrap(), row["min_ms"].as_f64().unwrap());
    assert!(min > 0.0 && median >= min, "{row}");
    let (tokens, weight) = (20 * 6, 40 * 6);
    let numbers = match name {
        "linear_nll" => 20,
        "linear_nll_hidden_gradient" => 20 + tokens,
        "linear_nll_weight_gradient" => 20 + weight,
        "linear_nll_gradients" => 20 + tokens + weight,
        "linear_gradients" => 2 * tokens + 6 * 6,
        "linear_onto_gradients" => 3 * tokens + 6 * 6,
        "rms_norm_gradients" => 2 * tokens + 6,
        "rotary_gradients" => 2 * tokens,
        "swiglu_gradients" | "adamw" => 3 * tokens,
        "tree_attention_gradients" => 4 * tokens,
        "sum_of_squares" => 1,
        _ => tokens,
    };
    let results = 4 * numbers;
    assert_eq!(row["result_bytes"], results, "{row}");
    assert!(row["peak_bytes"].as_u64().unwrap() >= results, "{row}");
    assert_eq!(row.get("refused"), None, "{row}");
}

#[test]
fn every_kernel_is_measured_beside_its_reference() {
    for device in ["cpu", "wgpu"] {
        let (figures, table) = bench(&format!("--rows 20 --width 6 --vocab 40 --runs 2 --device {device}"));
        check_schema(&figures, device);
        for kernel in HEAD_KERNELS.into_iter().chain(OTHER_KERNELS) {
            assert!(table.lines().any(|line| line.split_whitespace().next() == Some(kernel)), "{table}");
        }
    }
}

#[test]
fn every_combination_is_measured() {
    let (figures, _) = bench("--rows 3,5 --width 2 --vocab 7,8,9 --runs 1 --device cpu");
    let of = |name: &str| rows(&figures).iter().filter(|row| row["name"] == name).count();
    assert_eq!(HEAD_KERNELS.map(of), [12; 4]);
    assert_eq!(OTHER_KERNELS.map(of), [4; 14]);
}

/// Largest storage buffer binding of the best adapter, in bytes. Tests of refused shapes do nothing if the shape fits.
fn largest_binding() -> u64 {
    pollster::block_on(adapters()).remove(0).limits.max_storage_buffer_binding_size
}

fn assert_refused(row: &Value, reason: &str) {
    for key in ["median_ms", "min_ms", "peak_bytes", "result_bytes"] {
        assert!(row[key].is_null(), "{key}: {row}");
    }
    assert_eq!(row["runs"], 0);
    assert!(row["refused"].as_str().is_some_and(|text| text.starts_with(reason)), "{row}");
}

#[test]
fn a_reference_that_does_not_fit_is_refused() {
    if largest_binding() >= 300 * 151_936 * 4 {
        return;
    }
    let shape = "--rows 300 --width 4 --vocab 151936";
    let (figures, table) = bench(&format!("{shape} --kernels linear_nll,rms_norm --runs 2 --device wgpu"));
    let [fused, reference, norms @ ..] = rows(&figures).as_slice() else { panic!("{figures}") };
    let reason = "the logits take 173.88 MiB, a buffer of this adapter at most ";
    assert_refused(reference, reason);
    assert!(fused["median_ms"].as_f64().unwrap() > 0.0, "{fused}");
    assert!(fused["peak_bytes"].as_u64().unwrap() < 4 * MIB, "{fused}");
    assert!(norms.len() == 2 && norms.iter().all(|row| row["median_ms"].is_f64()), "{figures}");
    assert_eq!(table.lines().filter(|line| line.contains(" refused ")).count(), 1, "{table}");
    assert!(table.lines().any(|line| line.starts_with(&format!("reference: {reason}"))), "{table}");
}

/// At a vocabulary of 32,768 and two threads the kernels take at most 1/50 of the memory of the logits.
#[test]
fn kernels_take_a_fiftieth_of_the_logits() {
    // The rows on wgpu are so many that most adapters refuse the reference, which would take long.
    let cases = [
        ("cpu", "--rows 640 --width 16"),
        // Wide enough for `gemm` to pack its operands, which takes memory too.
        ("cpu", "--rows 640 --width 256"),
        ("wgpu", "--rows 1100 --width 4"),
    ];
    for (device, shape) in cases {
        let kernels =
            "--kernels linear_nll,linear_nll_hidden_gradient,linear_nll_weight_gradient,linear_nll_gradients";
        let (figures, _) = bench(&format!("{shape} --vocab 32768 {kernels} --runs 1 --device {device}"));
        for row in rows(&figures).iter().filter(|row| row["variant"] == "fused") {
            let logits = row["shape"]["rows"].as_u64().unwrap() * 32_768 * 4;
            let extra =
                row["peak_bytes"].as_u64().unwrap().saturating_sub(row["result_bytes"].as_u64().unwrap());
            assert!(50 * extra <= logits, "{extra} of {logits}: {row}");
        }
    }
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    if largest_binding() >= 40_000 * 1024 * 4 {
        return;
    }
    let (figures, _) = bench("--rows 1 --width 1024 --vocab 40000 --kernels linear_nll --device wgpu");
    assert_eq!(rows(&figures).len(), 2);
    for row in rows(&figures) {
        assert_refused(row, "an input takes 156.25 MiB, a buffer of this adapter at most ");
    }
}

#[test]
fn arguments_out_of_range_are_refused() {
    let home = Home::new();
    home.write("a-directory/note", "");
    for (flags, says) in [
        ("--rows 8,0", "--rows is 0; give 1 to "),
        ("--width 0", "--width is 0; give 1 to "),
        ("--width 4,5", "--width is 5; give even numbers, as rotary turns pairs"),
        ("--vocab 0", "--vocab is 0; give 1 to "),
        ("--vocab 99999999", "--vocab is 99999999; give 1 to "),
        ("--runs 0", "--runs is 0; give 1 to "),
        ("--rows 8,,9", "for '--rows <COUNTS>'"),
        ("--kernels nll", "[possible values: linear_nll, linear_nll_hidden_gradient, "),
        ("--rows -8", "unexpected argument '-8'"),
        ("--device gpu", "[possible values: auto, wgpu, cpu]"),
        ("--json a-directory", "a-directory is a directory; name a file"),
    ] {
        let done = home
            .run(&format!("bench kernels --device cpu {flags}").replace("--device cpu --device", "--device"));
        assert!(done.refusal().contains(says), "{says}: {done:#?}");
    }
    assert_eq!(names(&home.path("")), ["a-directory"]);
}

#[test]
fn quiet_prints_nothing() {
    let home = Home::new();
    let done =
        home.run("bench kernels --rows 4 --width 2 --vocab 6 --device cpu --runs 1 --quiet").succeeded();
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
}

/// Allocates vectors with a peak of 56 MiB: three of 16 MiB, only two of them at a time, and one of 24 MiB. `settle` waits
/// for the device, because a vector that the host drops before the device computes it takes no memory.
fn use_56_mebibytes<T>(make: impl Fn(usize) -> T, settle: impl Fn()) {
    let (first, middle) = (make(16), make(24));
    settle();
    drop(first);
    let (second, third) = (make(16), make(16));
    settle();
    drop((middle, second, third));
}

#[test]
fn memory_of_the_cpu_is_counted() {
    let device = Device::flex();
    let vector = |mebibytes: usize| {
        let data = TensorData::new(vec![1f32; mebibytes << 18], [mebibytes << 18]);
        Tensor::<1>::from_data(data, &device)
    };
    let counted = peak_bytes(&device, || use_56_mebibytes(vector, || ()));
    // Other tests of this process allocate small amounts on the same heap.
    assert!(counted.abs_diff(56 * MIB) < MIB, "{counted}");
}

#[test]
fn memory_of_the_adapter_is_counted() {
    let adapter = pollster::block_on(adapters()).remove(0);
    let device = pollster::block_on(adapter.start()).unwrap();
    let vector = |mebibytes: usize| Tensor::<1>::zeros([mebibytes << 18], &device);
    let kept = vector(4) + 1.0;
    for device in [device.clone(), device.clone().autodiff()] {
        let counted = peak_bytes(&device, || use_56_mebibytes(vector, || device.sync().unwrap()));
        assert_eq!(counted, 56 * MIB, "without earlier buffers and unused parts of pages");
    }
    assert_eq!(kept.sum().into_scalar::<f32>(), (1 << 20) as f32);
}

const ARMS: [&str; 5] = ["sft", "sft-mixed", "ssft-random", "ssft full", "ssft lazy"];
/// Flags of a small model and batch, which take little time.
const SMALL: &str = "--width 16 --inner 24 --layers 1 --heads 2 --vocab 40 --prompt-tokens 3 --trace-tokens 5 \
                     --match-tokens 2 --questions 2 --runs 2";

fn bench_steps(home: &Home, flags: &str) -> (Value, String) {
    let done = home.run(&format!("bench steps --json steps.json {flags}")).succeeded();
    (read_json(&home.path("steps.json")), done.stdout)
}

#[test]
fn every_arm_is_measured() {
    let home = Home::new();
    for device in ["cpu", "wgpu"] {
        let profile = if device == "wgpu" { "--profile" } else { "" };
        let (figures, table) = bench_steps(&home, &format!("{SMALL} --device {device} {profile}"));
        let variants: Vec<_> = rows(&figures).iter().map(|row| row["variant"].as_str().unwrap()).collect();
        assert_eq!(variants, ARMS);
        for row in rows(&figures) {
            check_step(row, device);
            let variant = row["variant"].as_str().unwrap();
            assert!(table.lines().any(|line| line.starts_with(variant)), "{variant}: {table}");
        }
    }
}

fn check_step(row: &Value, device: &str) {
    let shape = json!({
        "parameters": row["shape"]["parameters"], "width": 16, "inner": 24, "layers": 1, "heads": 2, "kv_heads": 2, "qkv_bias": false, "vocab": 40,
        "questions": 2, "forks": 6, "traces": 4, "prompt_tokens": 3, "trace_tokens": 5, "match_tokens": 2,
    });
    assert_eq!(row["shape"], shape, "{row}");
    assert_eq!(
        (&row["name"], &row["device"], &row["runs"]),
        (&json!("step"), &json!(device), &json!(2)),
        "{row}"
    );
    let number = |key: &str| row[key].as_f64().unwrap_or_else(|| panic!("{key}: {row}"));
    assert!(number("min_ms") > 0.0 && number("median_ms") >= number("min_ms"), "{row}");
    assert!(number("peak_bytes") > 0.0 && number("ms_train") > 0.0 && number("tokens_per_s") > 0.0, "{row}");
    let traces = if row["variant"] == "sft" { 1.0 } else { 4.0 };
    assert_eq!(number("tokens"), 2.0 * traces * 5.0, "{row}");
    let matches = row["variant"].as_str().unwrap().starts_with("ssft ");
    assert_eq!(row["cost_saved"].is_f64(), matches, "{row}");
    assert_eq!(number("ms_cost") > 0.0, matches, "{row}");
    assert_eq!(row["launches"].as_u64().is_some_and(|count| count > 10), device == "wgpu", "{row}");
    check_profile(row, device == "wgpu");
}

/// Checks the times of the kernels of a step; on the CPU there are none.
fn check_profile(row: &Value, is_expected: bool) {
    let kernels = row["kernels"].as_array();
    assert_eq!(kernels.is_some(), is_expected, "{row}");
    let Some(kernels) = kernels else { return };
    let ms: Vec<f64> = kernels.iter().map(|kernel| kernel["ms"].as_f64().unwrap()).collect();
    assert!(ms.is_sorted_by(|a, b| a >= b) && ms.iter().all(|&ms| ms > 0.0), "{row}");
    for shader in ["attention.wgsl", "nll_partials.wgsl", "adamw.wgsl"] {
        assert_eq!(kernels.iter().filter(|kernel| kernel["name"] == shader).count(), 1, "{shader}: {row}");
    }
    let launches: u64 = kernels.iter().map(|kernel| kernel["launches"].as_u64().unwrap()).sum();
    assert_eq!(row["timed_by_device_clock"], launches, "the software adapter has timestamps: {row}");
    assert_eq!(row["profiled_launches"], launches, "every launch is timed: {row}");
    if row["variant"] == "ssft-random" {
        assert_eq!(row["launches"], launches, "every step of this arm starts the same kernels: {row}");
    }
}

#[test]
fn kv_heads_and_biases_change_the_number_of_parameters() {
    let home = Home::new();
    let parameters = |flags: &str| {
        let (figures, _) = bench_steps(&home, &format!("{SMALL} --arms sft --device cpu {flags}"));
        rows(&figures)[0]["shape"]["parameters"].as_u64().unwrap()
    };
    let plain = parameters("");
    // A head is 8 wide, the model 16: one head less removes 8 x 16 weights of keys and of values. The biases of queries, keys
    // and values have 16 numbers each.
    assert_eq!(parameters("--kv-heads 1"), plain - 2 * 8 * 16);
    assert_eq!(parameters("--qkv-bias"), plain + 3 * 16);
}

#[test]
fn matrix_products_are_measured() {
    let home = Home::new();
    // One shape on wgpu: a software adapter takes seconds to compile each product.
    for (device, shapes) in [("cpu", "7x8x9,1x16x4"), ("wgpu", "7x8x9")] {
        let flags = format!("--shapes {shapes} --runs 2 --device {device} --json matmul.json");
        let done = home.run(&format!("bench matmul {flags}")).succeeded();
        let figures = read_json(&home.path("matmul.json"));
        let found: Vec<_> = rows(&figures).iter().map(|row| row["variant"].as_str().unwrap()).collect();
        let count = shapes.split(',').count();
        assert_eq!(found, ["forward", "input-gradient", "weight-gradient"].repeat(count));
        for row in rows(&figures) {
            let ms = row["median_ms"].as_f64().unwrap();
            let sizes = ["rows", "in", "out"].map(|key| row["shape"][key].as_f64().unwrap());
            let tflops = 2.0 * sizes.iter().product::<f64>() / ms / 1e9;
            assert!(ms > 0.0 && (row["tflops"].as_f64().unwrap() / tflops - 1.0).abs() < 1e-9, "{row}");
            assert_eq!((&row["device"], &row["autotune"]), (&json!(device), &json!(false)), "{row}");
        }
        assert_eq!(done.stdout.matches("forward").count(), count, "{done:#?}");
    }
    let wrong = home.run("bench matmul --shapes 7x8");
    assert!(wrong.refusal().contains("give three numbers of at least 1 as ROWSxINxOUT"), "{wrong:#?}");
    for shape in ["1000000x1000000x1", "4611686018427387904x1x1"] {
        let large = home.run(&format!("bench matmul --device cpu --shapes {shape}"));
        let says = format!("--shapes {shape}: inputs and gradients take ");
        assert!(large.refusal().starts_with(&says), "{large:#?}");
    }
}

#[test]
fn memory_is_measured_over_many_steps() {
    let home = Home::new();
    let model = "--width 16 --inner 24 --layers 1 --heads 2 --vocab 40 --steps 2 --json memory.json";
    let done = home.run(&format!("bench memory --device wgpu {model}")).succeeded();
    let figures = read_json(&home.path("memory.json"));
    let steps: Vec<_> = rows(&figures).iter().map(|row| row["steps"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2]);
    assert!(rows(&figures).iter().all(|row| row["reserved_bytes"].as_u64().unwrap() > MIB / 4), "{figures}");
    assert!(done.stdout.contains("reserved MiB"), "{done:#?}");
    let cpu = home.run("bench memory --device cpu");
    assert_eq!(cpu.refusal(), "memory is measured on a GPU only; use --device wgpu");
    let vocab = home.run("bench memory --vocab 6");
    assert_eq!(vocab.refusal(), "--vocab 6 leaves no token beside 6 forks");
}

#[test]
fn an_unknown_lane_tile_is_refused() {
    let home = Home::new();
    let arguments = "bench matmul --device wgpu";
    let mut program = home.program(arguments);
    program.env("SSFT_LANE_TILE", "wide");
    let done = Done::of(program, arguments);
    assert_eq!(done.refusal(), "SSFT_LANE_TILE is \"wide\"; give gpu or software, or leave it out");
}

#[test]
fn every_combination_of_lengths_is_measured() {
    let home = Home::new();
    let (figures, _) = bench_steps(
        &home,
        &format!(
            "{SMALL} --device cpu --arms ssft-random,ssft-lazy --forks 4,5 --traces 1,3 --memory-budget 1"
        ),
    );
    let shapes: Vec<_> = rows(&figures)
        .iter()
        .map(|row| (row["shape"]["forks"].as_u64().unwrap(), row["shape"]["traces"].as_u64().unwrap()))
        .collect();
    assert_eq!(shapes, [(4, 1), (4, 1), (4, 3), (4, 3), (5, 1), (5, 1), (5, 3), (5, 3)]);
}

#[test]
fn a_trained_model_is_measured_on_its_own_questions() {
    let home = Home::new();
    home.run("train --steps 2 --preset demo --train-questions 20 --eval-questions 0 --device cpu --out run --quiet")
        .succeeded();
    let flags =
        "--model run/model --questions 3 --match-tokens 4 --arms ssft-full,ssft-lazy --runs 1 --device cpu";
    let (figures, _) = bench_steps(&home, flags);
    let row = &rows(&figures)[0];
    assert_eq!((&row["shape"]["forks"], &row["shape"]["traces"]), (&json!(6), &json!(4)), "{row}");
    assert!(row["shape"]["trace_tokens"].as_f64().unwrap() > 10.0, "{row}");
}

#[test]
fn steps_that_cannot_be_measured_are_refused() {
    let home = Home::new();
    for (flags, says) in [
        ("--questions 0", "--questions is 0; give 1 to "),
        (
            "--forks 3",
            "4 traces cannot have different forks when there are only 3; raise --forks or lower --traces",
        ),
        (
            "--questions 100000",
            "100000 questions of 416 tokens are more than 1048576; lower --questions or their lengths",
        ),
        ("--layers 1048576 --width 1048576", " MiB are available; lower the sizes of the random model"),
        ("--vocab 6", "--vocab 6 leaves no token beside 6 forks"),
        ("--heads 3", "a width of 128 does not make 3 heads of an even size; change --width or --heads"),
        ("--profile", "--profile times the kernels of a GPU; use --device wgpu"),
        ("--kv-heads 3", "4 heads cannot share 3 heads of keys and values; --kv-heads has to divide --heads"),
        ("--model nowhere", "nowhere: there is no config.json; give the directory of a Hugging Face model"),
        ("--model nowhere --width 8", "cannot be used with"),
        ("--task arithmetic", "--model"),
        ("--arms ssft", "[possible values: sft, sft-mixed, ssft-random, ssft-full, ssft-lazy]"),
        ("--runs 0", "--runs is 0; give 1 to "),
    ] {
        let done = home.run(&format!("bench steps --device cpu {flags}"));
        assert!(done.refusal().contains(says), "{says}: {done:#?}");
    }
}

#[test]
fn decoding_is_measured_beside_separate_generations() {
    let home = Home::new();
    let flags = "--forks 2,3 --prompt-tokens 5 --answer-tokens 4 --runs 1 --device cpu --json decode.json";
    let done = home.run(&format!("bench decode {flags}")).succeeded();
    let figures = read_json(&home.path("decode.json"));
    let found: Vec<_> = rows(&figures)
        .iter()
        .map(|row| (row["variant"].as_str().unwrap(), row["shape"]["forks"].as_u64().unwrap()))
        .collect();
    let expected = [2, 3].map(|forks| ["separate", "batched", "forked"].map(|way| (way, forks))).concat();
    assert_eq!(found, expected);
    for row in rows(&figures) {
        assert!(row["median_ms"].as_f64().unwrap() > 0.0 && row["peak_bytes"].as_u64().unwrap() > 0, "{row}");
        assert_eq!(
            (&row["name"], &row["device"], &row["runs"]),
            (&json!("decode"), &json!("cpu"), &json!(1))
        );
    }
    assert_eq!(done.stdout.matches("forked").count(), 2, "{done:#?}");
    let none = home.run("bench decode --forks 0");
    assert!(none.refusal().contains("--forks is 0; give 1 to"), "{none:#?}");
    let many = home.run("bench decode --forks 1048576 --device cpu");
    let says = "1048576 rows of 129 tokens are more than 1048576; lower --forks or their lengths";
    assert_eq!(many.refusal(), says);
}
