//! Tables of a card's section, the most important first.

use std::fmt::Write as _;

use serde_json::Value;

use super::markdown::{Ratio, mebibytes, number, ratios, table, text, three_digits};
use super::{Results, WHOLE_RUN};

/// Our arms, and the arm of the PyTorch program with the same computation.
const ARMS: [(&str, &str); 3] =
    [("ssft-random", "ssft-random"), ("ssft full", "ssft"), ("ssft lazy", "ssft")];
/// Shapes of whole steps: the parts are `steps-SHAPE` and `torch-SHAPE`.
const SHAPES: [&str; 4] = ["tiny", "small", "smollm2", "qwen"];
/// Parts that measure kernels, and their lane tile: empty for the default one.
const KERNELS: [(&str, &str); 3] =
    [("bench-heads", ""), ("bench-heads-other-tile", "the other"), ("bench-kernels", "")];
/// Note on the comparison of matrix products with PyTorch, which is unfavourable to ours at small shapes.
const LAUNCHES: &str =
    "PyTorch replays its products as one CUDA graph, without launches and allocations; ours counts both.";

/// All tables with at least one figure, each below its heading.
pub fn all(results: &Results) -> Vec<String> {
    let tables = [
        ("What did not pass", not_passed(results)),
        ("Whole steps beside PyTorch", ratios(["shape", "ours", "PyTorch"], steps_beside_torch(results))),
        ("Matrix products beside PyTorch", products_beside_torch(results)),
        (
            "Matrix products without autotune beside those with it",
            ratios(["layer", "product", ""], beside(results, "matmul-autotune", |_| String::new())),
        ),
        ("Kernels beside plain tensors", ratios(["kernel", "shape", "tile"], kernels(results))),
        ("Forked decoding beside separate generations", ratios(["prompt", "way", ""], decoding(results))),
        ("The card beside the CPU", training(results)),
        ("Whole steps", steps(results)),
        ("Where the time of `ssft lazy` goes", profiles(results)),
        ("Matrix products, TFLOP/s", products(results)),
        ("Memory of kernels", kernel_memory(results)),
        ("Memory over many steps", memory(results)),
        ("The adapter", adapter(results)),
    ];
    let shown = tables.into_iter().filter(|(_, table)| !table.is_empty());
    shown.map(|(heading, table)| format!("### {heading}\n\n{}", table.trim_end())).collect()
}

/// The row with the same values of `keys` as `row`.
fn twin<'a>(rows: &[&'a Value], row: &Value, keys: &[&str]) -> Option<&'a Value> {
    rows.iter().copied().find(|other| keys.iter().all(|key| other[key] == row[key]))
}

fn not_passed(results: &Results) -> String {
    let line = |part: &Value| {
        let seconds = |key: &str| format!("{:.1}", number(part, key));
        vec![
            text(part, "part").to_owned(),
            text(part, "status").to_owned(),
            seconds("seconds"),
            seconds("limit_s"),
        ]
    };
    let failed = results.parts.iter().filter(|(name, part)| *name != WHOLE_RUN && part["status"] != "passed");
    let lines: Vec<Vec<String>> = failed.map(|(_, part)| line(part)).collect();
    let mut text = table(&["part", "status", "seconds", "limit"], 2, &lines);
    if !results.parts.contains_key(WHOLE_RUN) {
        text += "\nThe run was cut off: parts that are missing below were not reached.\n";
    }
    for (part, _) in KERNELS {
        for row in results.rows(part).iter().filter(|row| row["refused"].is_string()) {
            let _ = writeln!(text, "\n{}, {}, {}: {}", part, text_of(row), row["shape"], row["refused"]);
        }
    }
    text
}

/// Name and variant of a kernel: `linear_nll fused`.
fn text_of(row: &Value) -> String {
    format!("{} {}", text(row, "name"), text(row, "variant"))
}

/// Precision of a PyTorch figure: `f32`, or `bf16 compiled`.
fn precision(row: &Value) -> String {
    let compiled = if row["compiled"] == true { " compiled" } else { "" };
    format!("{}{compiled}", text(row, "precision"))
}

fn steps_beside_torch(results: &Results) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for shape in SHAPES {
        let mut others = results.rows(&format!("torch-{shape}"));
        // The part with compiled steps measures the eager ones too; those are left out.
        let compiled = results.rows(&format!("torch-{shape}-compiled"));
        others.extend(compiled.into_iter().filter(|row| row["compiled"] == true));
        for row in results.rows(&format!("steps-{shape}")) {
            let arm = text(row, "variant");
            let Some((_, theirs)) = ARMS.iter().find(|(ours, _)| *ours == arm) else { continue };
            for other in others.iter().filter(|other| text(other, "variant") == *theirs) {
                ratios.push(Ratio::new([shape, arm, &format!("{theirs} {}", precision(other))], row, other));
            }
        }
    }
    ratios
}

fn products_beside_torch(results: &Results) -> String {
    let table = ratios(["layer", "product", "PyTorch"], beside(results, "torch-matmul", precision));
    if table.is_empty() { table } else { format!("{LAUNCHES}\n\n{table}") }
}

/// Shape of a linear layer, rows x input -> output: `1536 x 576 -> 1536`.
fn layer(row: &Value) -> String {
    let shape = &row["shape"];
    format!("{} x {} -> {}", shape["rows"], shape["in"], shape["out"])
}

/// Our matrix products compared with those of the part `other`.
fn beside(results: &Results, other: &str, name: impl Fn(&Value) -> String) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for row in results.rows("matmul") {
        let same = |other: &&Value| other["shape"] == row["shape"] && other["variant"] == row["variant"];
        for other in results.rows(other).into_iter().filter(same) {
            ratios.push(Ratio::new([&layer(row), text(row, "variant"), &name(other)], row, other));
        }
    }
    ratios
}

/// Fused kernels and their references if both were run, with the tile of the part.
fn measured_kernels(results: &Results) -> Vec<(&Value, &Value, &'static str)> {
    let pairs = |(part, tile)| {
        let rows = results.rows(part);
        let run = |row: &&&Value| row["median_ms"].is_number();
        let (fused, references): (Vec<&Value>, Vec<&Value>) =
            rows.iter().filter(run).partition(|row| row["variant"] == "fused");
        let pair = |fused| Some((fused, twin(&references, fused, &["name", "shape"])?, tile));
        fused.into_iter().filter_map(pair).collect::<Vec<_>>()
    };
    KERNELS.into_iter().flat_map(pairs).collect()
}

/// Shape of a kernel, rows x width x vocabulary: `1024 x 576 x 49152`.
fn size(row: &Value) -> String {
    let shape = &row["shape"];
    let vocab = shape["vocab"].as_u64().map_or(String::new(), |vocab| format!(" x {vocab}"));
    format!("{} x {}{vocab}", shape["rows"], shape["width"])
}

fn kernels(results: &Results) -> Vec<Ratio> {
    let pairs = measured_kernels(results).into_iter();
    pairs
        .map(|(fused, other, tile)| Ratio::new([text(fused, "name"), &size(fused), tile], fused, other))
        .collect()
}

/// Table of memory of the kernels whose reference takes more than 1 MiB.
fn kernel_memory(results: &Results) -> String {
    let pairs = measured_kernels(results).into_iter();
    let large =
        pairs.filter(|(_, other, tile)| tile.is_empty() && number(other, "peak_bytes") > f64::from(1 << 20));
    let line = |(fused, other, _): (&Value, &Value, _)| {
        let [ours, others] = [fused, other].map(|row| mebibytes(row, "peak_bytes"));
        vec![text(fused, "name").to_owned(), size(fused), ours, others]
    };
    let lines: Vec<Vec<String>> = large.map(line).collect();
    table(&["kernel", "shape", "ours MiB", "plain tensors MiB"], 2, &lines)
}

fn decoding(results: &Results) -> Vec<Ratio> {
    let rows = results.rows("decode");
    let (separate, others): (Vec<&Value>, Vec<&Value>) =
        rows.into_iter().partition(|row| row["variant"] == "separate");
    let ratio = |row: &Value| {
        let prompt = format!("{} tokens, N = {}", row["shape"]["prompt_tokens"], row["shape"]["forks"]);
        Some(Ratio::new([&prompt, text(row, "variant"), ""], row, twin(&separate, row, &["shape"])?))
    };
    others.into_iter().filter_map(ratio).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The same training on the card and on the CPU: largest difference of the losses, and speed of both.
fn training(results: &Results) -> String {
    let steps = |part: &str| results.figures.get(part).and_then(|figures| figures.as_array());
    let (Some(card), Some(cpu)) = (steps("train-wgpu"), steps("train-cpu")) else { return String::new() };
    let (Some(first), Some(last)) = (card.first(), card.last()) else { return String::new() };
    let speed = |steps: &[Value]| median(steps.iter().map(|step| number(step, "tokens_per_s")).collect());
    let apart = card.iter().zip(cpu).map(|(a, b)| {
        let [a, b] = [a, b].map(|step| number(step, "loss"));
        (a - b).abs() / b
    });
    // `total_cmp` makes NaN the largest difference.
    let apart = apart.max_by(f64::total_cmp).unwrap_or(f64::NAN);
    format!(
        "{} steps of `train` on the card and {} on the CPU of the same machine: {:.0} and {:.0} target tokens/s by the step's \
         own clock; losses from {:.4} to {:.4}, at most {apart:.1e} apart (relative).",
        card.len(),
        cpu.len(),
        speed(card),
        speed(cpu),
        number(first, "loss"),
        number(last, "loss"),
    )
}

fn steps(results: &Results) -> String {
    let parts = SHAPES.iter().map(|&shape| (format!("steps-{shape}"), shape.to_owned()));
    let autotuned = [("steps-tiny-autotune".to_owned(), "tiny, autotune".to_owned())];
    let mut lines = Vec::new();
    for (part, name) in parts.chain(autotuned) {
        for row in results.rows(&part) {
            let ms = |key: &str| three_digits(number(row, key));
            let saved =
                row["cost_saved"].as_f64().map_or("-".to_owned(), |saved| format!("{:.1} %", 100.0 * saved));
            let millions = three_digits(number(&row["shape"], "parameters") / 1e6);
            let mut line = vec![name.clone(), text(row, "variant").to_owned(), millions];
            line.extend(["median_ms", "min_ms", "ms_cost", "ms_match", "ms_train"].map(ms));
            line.push(format!("{:.0}", number(row, "tokens_per_s")));
            line.extend([saved, row["launches"].to_string(), mebibytes(row, "peak_bytes")]);
            lines.push(line);
        }
    }
    let header = [
        "shape",
        "arm",
        "M params",
        "ms",
        "least ms",
        "cost ms",
        "match ms",
        "train ms",
        "tokens/s",
        "cost saved",
        "launches",
        "peak MiB",
    ];
    table(&header, 2, &lines)
}

/// Share of the time of a step whose kernels are listed one by one.
const LISTED_SHARE: f64 = 0.95;

/// Table of the kernels that take the most time, up to [`LISTED_SHARE`] of the time of a step.
fn profiles(results: &Results) -> String {
    let mut lines = Vec::new();
    for shape in SHAPES {
        let rows = results.rows(&format!("steps-{shape}"));
        let Some(row) = rows.into_iter().find(|row| row["variant"] == "ssft lazy") else { continue };
        let kernels = row["kernels"].as_array().map_or(&[][..], Vec::as_slice);
        let total: f64 = kernels.iter().map(|kernel| number(kernel, "ms")).sum();
        let mut so_far = 0.0;
        for kernel in kernels.iter().take_while(|kernel| {
            let shown = so_far <= LISTED_SHARE * total;
            so_far += number(kernel, "ms");
            shown
        }) {
            let ms = number(kernel, "ms");
            let name = format!("`{}`", text(kernel, "name").replace('|', "/"));
            let share = format!("{:.1} %", 100.0 * ms / total);
            lines.push(vec![shape.to_owned(), name, kernel["launches"].to_string(), three_digits(ms), share]);
        }
        let launches: u64 = kernels.iter().filter_map(|kernel| kernel["launches"].as_u64()).sum();
        lines.push(vec![
            shape.to_owned(),
            format!(
                "all, {} of {} by the device's clock",
                row["timed_by_device_clock"], row["profiled_launches"]
            ),
            launches.to_string(),
            three_digits(total),
            format!("{:.1} % of a step", 100.0 * total / number(row, "median_ms")),
        ]);
    }
    table(&["shape", "kernel", "launches", "ms", "share"], 2, &lines)
}

fn products(results: &Results) -> String {
    let mut lines = Vec::new();
    for row in results.rows("matmul") {
        let of = |part: &str, precision: Option<&str>| {
            let rows = results.rows(part).into_iter();
            let rows: Vec<&Value> = rows.filter(|row| row["precision"].as_str() == precision).collect();
            let found = twin(&rows, row, &["shape", "variant"]);
            found.map_or("-".to_owned(), |other| three_digits(number(other, "tflops")))
        };
        let mut line = vec![layer(row), text(row, "variant").to_owned(), three_digits(number(row, "tflops"))];
        line.push(of("matmul-autotune", None));
        line.extend(["f32", "tf32", "bf16"].map(|precision| of("torch-matmul", Some(precision))));
        lines.push(line);
    }
    table(&["layer", "product", "ours", "autotune", "PyTorch f32", "tf32", "bf16"], 2, &lines)
}

fn memory(results: &Results) -> String {
    let [first, .., last] = results.rows("memory")[..] else { return String::new() };
    format!(
        "CubeCL's pools reserve {} MiB after {} steps, and {} MiB after {}.",
        mebibytes(first, "reserved_bytes"),
        first["steps"],
        mebibytes(last, "reserved_bytes"),
        last["steps"],
    )
}

fn adapter(results: &Results) -> String {
    let adapter = results.adapter();
    let limits = adapter["limits"].as_object();
    let mut lines: Vec<Vec<String>> =
        limits.into_iter().flatten().map(|(name, value)| vec![name.clone(), value.to_string()]).collect();
    let list = |key: &str, shown: &dyn Fn(&Value) -> Option<String>| {
        let items: Vec<String> = adapter[key].as_array().into_iter().flatten().filter_map(shown).collect();
        if items.is_empty() { "none".to_owned() } else { items.join(", ") }
    };
    let matrix = |matrix: &Value| {
        let [inputs, sums] = ["inputs", "sums"].map(|key| text(matrix, key));
        Some(format!("{} x {} x {} {inputs} -> {sums}", matrix["m"], matrix["n"], matrix["k"]))
    };
    let computing = ["SHADER_", "SUBGROUP", "COOPERATIVE", "TIMESTAMP", "IMMEDIATES", "MAPPABLE"];
    let feature = |name: &Value| {
        let name = name.as_str().filter(|name| computing.iter().any(|word| name.contains(word)))?;
        Some(name.to_lowercase())
    };
    lines.push(vec!["subgroup".to_owned(), list("subgroup", &|size| Some(size.to_string()))]);
    lines.push(vec!["cooperative matrices, m x n x k".to_owned(), list("cooperative_matrices", &matrix)]);
    lines.push(vec!["features that computing may use".to_owned(), list("features", &feature)]);
    table(&["property", "value"], 2, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn results(parts: &[(&str, Value)]) -> Results {
        let figures = parts.iter().map(|(part, figures)| ((*part).to_owned(), figures.clone())).collect();
        Results { figures, ..Results::default() }
    }

    #[test]
    fn the_worst_ratio_comes_first() {
        let row = |variant: &str, ms: f64| json!({"variant": variant, "precision": "f32", "median_ms": ms});
        let results = results(&[
            ("steps-tiny", json!({"rows": [row("ssft-random", 2.0), row("ssft lazy", 9.0)]})),
            ("torch-tiny", json!({"rows": [row("ssft-random", 4.0), row("ssft", 3.0)]})),
        ]);
        let table = ratios(["shape", "ours", "PyTorch"], steps_beside_torch(&results));
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| tiny | ssft lazy | ssft f32 | 9.00 | 3.00 | 3.00 |",
                "| tiny | ssft-random | ssft-random f32 | 2.00 | 4.00 | 0.50 |",
            ]
        );
    }

    #[test]
    fn a_loss_of_nan_is_reported_as_a_difference() {
        let step = |loss: Value| json!({"loss": loss, "tokens_per_s": 1.0});
        let of = |card: Value| {
            training(&results(&[("train-wgpu", card), ("train-cpu", json!([step(json!(2.0))]))]))
        };
        assert!(of(json!([step(json!(2.0))])).contains("at most 0.0e0 apart"));
        assert!(of(json!([step(Value::Null)])).contains("at most NaN apart"));
        assert_eq!(of(json!([])), "");
    }
}
