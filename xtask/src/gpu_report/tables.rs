//! The tables of a card's section, in the order of a reader's questions.

use std::fmt::Write as _;

use serde_json::Value;

use super::Results;

/// Ours and PyTorch's arm that does the same.
const ARMS: [(&str, &str); 3] =
    [("ssft-random", "ssft-random"), ("ssft full", "ssft"), ("ssft lazy", "ssft")];
/// Shapes of whole steps: what follows `steps-` and `torch-`.
const SHAPES: [&str; 4] = ["tiny", "small", "smollm2", "qwen"];

/// One time beside another.
struct Ratio {
    /// Cells in front of the times.
    names: Vec<String>,
    ours: f64,
    other: f64,
}

impl Ratio {
    fn new(names: &[&str], ours: f64, other: f64) -> Self {
        Self { names: names.iter().map(|&name| name.to_owned()).collect(), ours, other }
    }
}

/// Every table that has a figure, with its heading.
pub fn all(results: &Results) -> Vec<String> {
    let tables = [
        ("What did not pass", not_passed(results)),
        ("Whole steps beside PyTorch", ratios(["shape", "ours", "PyTorch"], steps_beside_torch(results))),
        ("Products beside PyTorch", ratios(["shape", "product", "PyTorch"], products_beside_torch(results))),
        (
            "Products without autotune beside products with it",
            ratios(["shape", "product", ""], autotune(results)),
        ),
        ("Kernels beside plain tensors", ratios(["kernel", "shape", "tile"], kernels(results))),
        ("Forked decoding beside separate generations", ratios(["prompt", "way", ""], decoding(results))),
        ("The card beside the CPU", training(results)),
        ("Whole steps", steps(results)),
        ("Where the time of `ssft lazy` goes", profiles(results)),
        ("Products, TFLOP/s", products(results)),
        ("Memory over many steps", memory(results)),
        ("The adapter", adapter(results)),
    ];
    let shown = tables.into_iter().filter(|(_, table)| !table.is_empty());
    shown.map(|(heading, table)| format!("### {heading}\n\n{}", table.trim_end())).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(f64::NAN)
}

fn mebibytes(value: &Value, key: &str) -> String {
    value[key].as_f64().map_or("-".to_owned(), |bytes| three_digits(bytes / f64::from(1 << 20)))
}

/// `0.0123`, `1.23`, `123`
fn three_digits(value: f64) -> String {
    let decimals = (2.0 - value.abs().max(1e-9).log10().floor()).clamp(0.0, 4.0);
    format!("{value:.0$}", decimals as usize)
}

/// A Markdown table; empty without a line. The first `names` columns are names, the others figures.
fn table(header: &[&str], names: usize, lines: &[Vec<String>]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let rule: Vec<&str> = (0..header.len()).map(|at| if at < names { "---" } else { "--:" }).collect();
    let mut text = format!("| {} |\n|{}|\n", header.join(" | "), rule.join("|"));
    for line in lines {
        let _ = writeln!(text, "| {} |", line.join(" | "));
    }
    text
}

/// The worst first.
fn ratios(names: [&str; 3], mut ratios: Vec<Ratio>) -> String {
    ratios.sort_by(|a, b| (b.ours / b.other).total_cmp(&(a.ours / a.other)));
    let line = |ratio: &Ratio| {
        let figures =
            [three_digits(ratio.ours), three_digits(ratio.other), format!("{:.2}", ratio.ours / ratio.other)];
        ratio.names.iter().cloned().chain(figures).collect()
    };
    let [a, b, c] = names;
    let lines: Vec<Vec<String>> = ratios.iter().map(line).collect();
    table(&[a, b, c, "ours ms", "other ms", "ratio"], 3, &lines)
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
    let lines: Vec<Vec<String>> =
        results.parts.iter().filter(|part| part["status"] != "passed").map(line).collect();
    table(&["part", "status", "seconds", "limit"], 2, &lines)
}

/// `f32`, or `bf16 compiled`.
fn precision(row: &Value) -> String {
    let compiled = if row["compiled"] == true { " compiled" } else { "" };
    format!("{}{compiled}", text(row, "precision"))
}

fn steps_beside_torch(results: &Results) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for shape in SHAPES {
        for row in results.rows(&format!("steps-{shape}")) {
            let arm = text(row, "variant");
            let theirs = ARMS.iter().find(|(ours, _)| *ours == arm).map(|(_, theirs)| *theirs);
            let eager = results.rows(&format!("torch-{shape}"));
            let compiled = results.rows(&format!("torch-{shape}-compiled"));
            // The part that compiles measures the eager steps once more.
            let compiled = compiled.into_iter().filter(|row| row["compiled"] == true);
            for other in eager.into_iter().chain(compiled) {
                if Some(text(other, "variant")) == theirs {
                    let names = [shape, arm, &format!("{} {}", text(other, "variant"), precision(other))];
                    ratios.push(Ratio::new(&names, number(row, "median_ms"), number(other, "median_ms")));
                }
            }
        }
    }
    ratios
}

/// `1536 x 576 -> 1536`
fn map_of(row: &Value) -> String {
    let shape = &row["shape"];
    format!("{} x {} -> {}", shape["rows"], shape["in"], shape["out"])
}

fn products_beside_torch(results: &Results) -> Vec<Ratio> {
    beside(results, "torch-products", precision)
}

fn autotune(results: &Results) -> Vec<Ratio> {
    beside(results, "products-autotune", |_| String::new())
}

/// Our products beside those of another part.
fn beside(results: &Results, other: &str, name: impl Fn(&Value) -> String) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for row in results.rows("products") {
        let same = |other: &&Value| map_of(other) == map_of(row) && other["variant"] == row["variant"];
        for other in results.rows(other).into_iter().filter(same) {
            let names = [map_of(row).as_str(), text(row, "variant"), &name(other)].map(str::to_owned);
            ratios.push(Ratio {
                names: names.to_vec(),
                ours: number(row, "median_ms"),
                other: number(other, "median_ms"),
            });
        }
    }
    ratios
}

fn kernels(results: &Results) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for (part, tile) in
        [("bench-heads", ""), ("bench-heads-software-tile", "software"), ("bench-kernels", "")]
    {
        let rows = results.rows(part);
        for fused in rows.iter().filter(|row| row["variant"] == "fused") {
            let is_reference = |row: &&&Value| {
                row["variant"] == "reference"
                    && row["name"] == fused["name"]
                    && row["shape"] == fused["shape"]
            };
            let Some(reference) = rows.iter().find(is_reference) else { continue };
            let shape = &fused["shape"];
            let vocab = shape["vocab"].as_u64().map_or(String::new(), |vocab| format!(" x {vocab}"));
            let size = format!("{} x {}{vocab}", shape["rows"], shape["width"]);
            let times = [fused, reference].map(|row| number(row, "median_ms"));
            ratios.push(Ratio::new(&[text(fused, "name"), &size, tile], times[0], times[1]));
        }
    }
    ratios
}

fn decoding(results: &Results) -> Vec<Ratio> {
    let rows = results.rows("decode");
    let separate = |row: &Value| {
        let same = |other: &&&Value| other["variant"] == "separate" && other["shape"] == row["shape"];
        rows.iter().find(same).map(|other| number(other, "median_ms"))
    };
    let ratio = |row: &&Value| {
        let shape = &row["shape"];
        let prompt = format!("{} tokens, N = {}", shape["prompt_tokens"], shape["forks"]);
        Some(Ratio::new(&[&prompt, text(row, "variant"), ""], number(row, "median_ms"), separate(row)?))
    };
    rows.iter().filter(|row| row["variant"] != "separate").filter_map(ratio).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The same training on both: how far losses lie apart, and how fast each is.
fn training(results: &Results) -> String {
    let steps = |part: &str| results.figures.get(part).and_then(|figures| figures.as_array());
    let (Some(card), Some(cpu)) = (steps("train-wgpu"), steps("train-cpu")) else { return String::new() };
    let speed = |steps: &Vec<Value>| median(steps.iter().map(|step| number(step, "tokens_per_s")).collect());
    let apart = card.iter().zip(cpu).map(|(a, b)| {
        let [a, b] = [a, b].map(|step| number(step, "loss"));
        (a - b).abs() / b
    });
    let (first, last) = (number(&card[0], "loss"), card.last().map_or(f64::NAN, |step| number(step, "loss")));
    format!(
        "{} steps of `train` on the card and on the CPU of the same machine: {:.0} and {:.0} target tokens/s by the step's own \
         clock; losses from {first:.4} to {last:.4}, at most {:.1e} apart (relative).",
        card.len(),
        speed(card),
        speed(cpu),
        apart.fold(0.0, f64::max),
    )
}

fn steps(results: &Results) -> String {
    let mut lines = Vec::new();
    let autotuned =
        SHAPES.iter().map(|shape| (format!("steps-{shape}-autotune"), format!("{shape}, autotune")));
    let plain = SHAPES.iter().map(|&shape| (format!("steps-{shape}"), shape.to_owned()));
    for (part, name) in plain.chain(autotuned) {
        for row in results.rows(&part) {
            let ms = |key: &str| three_digits(number(row, key));
            lines.push(vec![
                name.clone(),
                text(row, "variant").to_owned(),
                format!("{:.2}", number(&row["shape"], "parameters") / 1e6),
                ms("median_ms"),
                ms("ms_cost"),
                ms("ms_match"),
                ms("ms_train"),
                format!("{:.0}", number(row, "tokens_per_s")),
                row["launches"].to_string(),
                mebibytes(row, "peak_bytes"),
            ]);
        }
    }
    let header = [
        "shape", "arm", "M params", "ms", "cost ms", "match ms", "train ms", "tokens/s", "launches",
        "peak MiB",
    ];
    table(&header, 2, &lines)
}

/// Kernels that together are all but a twentieth of a step.
fn profiles(results: &Results) -> String {
    let mut lines = Vec::new();
    for shape in SHAPES {
        let part = format!("steps-{shape}");
        let Some(row) = results.rows(&part).into_iter().find(|row| row["variant"] == "ssft lazy") else {
            continue;
        };
        let kernels = row["kernels"].as_array().map_or(&[][..], Vec::as_slice);
        let total: f64 = kernels.iter().map(|kernel| number(kernel, "ms")).sum();
        let mut so_far = 0.0;
        for kernel in kernels {
            if so_far > 0.95 * total {
                break;
            }
            let ms = number(kernel, "ms");
            so_far += ms;
            lines.push(vec![
                shape.to_owned(),
                format!("`{}`", text(kernel, "name").replace('|', "/")),
                kernel["launches"].to_string(),
                three_digits(ms),
                format!("{:.1} %", 100.0 * ms / total),
            ]);
        }
        let whole = number(row, "median_ms");
        lines.push(vec![
            shape.to_owned(),
            "all kernels, one at a time".to_owned(),
            row["launches"].to_string(),
            three_digits(total),
            format!("{:.1} % of the step", 100.0 * total / whole),
        ]);
    }
    table(&["shape", "kernel", "launches", "ms", "share"], 2, &lines)
}

fn products(results: &Results) -> String {
    let mut lines = Vec::new();
    for row in results.rows("products") {
        let of = |part: &str, wanted: &str| {
            let is_it = |other: &&Value| {
                map_of(other) == map_of(row)
                    && other["variant"] == row["variant"]
                    && (wanted.is_empty() || text(other, "precision") == wanted)
            };
            let found = results.rows(part).into_iter().find(is_it);
            found.map_or("-".to_owned(), |other| three_digits(number(other, "tflops")))
        };
        lines.push(vec![
            map_of(row),
            text(row, "variant").to_owned(),
            three_digits(number(row, "tflops")),
            of("products-autotune", ""),
            of("torch-products", "f32"),
            of("torch-products", "tf32"),
            of("torch-products", "bf16"),
        ]);
    }
    table(&["shape", "product", "ours", "autotune", "PyTorch f32", "tf32", "bf16"], 2, &lines)
}

fn memory(results: &Results) -> String {
    let rows = results.figures.get("memory").and_then(|figures| figures["rows"].as_array());
    let Some([first, .., last]) = rows.map(Vec::as_slice) else { return String::new() };
    format!(
        "The pools hold {} MiB after {} steps, and {} MiB after {}.",
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
    let unit = |unit: &Value| {
        let [inputs, sums] = ["inputs", "sums"].map(|key| text(unit, key));
        format!("{} x {} x {} {inputs} -> {sums}", unit["m"], unit["n"], unit["k"])
    };
    let list = |key: &str, shown: &dyn Fn(&Value) -> String| {
        let items: Vec<String> = adapter[key].as_array().into_iter().flatten().map(shown).collect();
        if items.is_empty() { "none".to_owned() } else { items.join(", ") }
    };
    lines.push(vec!["subgroup".to_owned(), list("subgroup", &|size| size.to_string())]);
    lines.push(vec!["matrix units, rows x columns x depth".to_owned(), list("matrix_units", &unit)]);
    let computing = ["SHADER_", "SUBGROUP", "COOPERATIVE", "TIMESTAMP", "IMMEDIATES", "MAPPABLE"];
    let features = adapter["features"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let features = features.filter(|name| computing.iter().any(|word| name.contains(word)));
    lines.push(vec![
        "features that computing may use".to_owned(),
        features.collect::<Vec<_>>().join(", ").to_lowercase(),
    ]);
    table(&["property", "value"], 2, &lines)
}
