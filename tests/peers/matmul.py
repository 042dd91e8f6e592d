"""Matrix products of training by `torch.matmul`, in TFLOP/s; described in README.md."""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor

from machine import add_flags, check_flags, device_name, now, set_products

SECONDS = 0.01  # approximate time of one measurement; half of it if a product takes less time than its call
SHAPES = "1536x576x1536,1536x1536x576"  # gate or up, and down, of SmolLM2-135M on 16 rows of 96 tokens
HEAD = "\n| product | precision | rows | in | out | median ms | min ms | TFLOP/s | runs |"
RULE = "|---|---|--:|--:|--:|--:|--:|--:|--:|"
ROW = "| {variant} | {precision} | {rows} | {in} | {out} | {median_ms:.4f} | {min_ms:.4f} | {tflops:.2f} | {runs} |"


class Shape(NamedTuple):
    rows: int
    wide: int  # width of an input row
    out: int


def shape_list(text: str) -> list[Shape]:
    shapes = [[int(size) if size.isdecimal() else 0 for size in shape.split("x")] for shape in text.split(",")]
    if any(len(shape) != 3 or min(shape) < 1 for shape in shapes):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of ROWSxINxOUT, such as 1536x576x1536,512x512x512")
    return [Shape(*shape) for shape in shapes]


def products(shape: Shape, precision: str, device: str) -> dict[str, Callable[[], Tensor]]:
    """The three products of a linear layer in training. Their results are allocated here, so that allocation is not timed."""
    kind: Any = {"dtype": torch.bfloat16 if precision == "bf16" else torch.float32, "device": device}
    x, weight, gradient = (torch.randn(size, **kind) for size in (shape[:2], (shape.out, shape.wide), shape[::2]))
    y, to_x, to_weight = (torch.empty_like(like) for like in (gradient, x, weight))
    return {
        "forward": lambda: torch.matmul(x, weight.T, out=y),
        "input-gradient": lambda: torch.matmul(gradient, weight, out=to_x),
        "weight-gradient": lambda: torch.matmul(gradient.T, x, out=to_weight),
    }


def seconds(device: str, work: Callable[[], Any]) -> float:
    start = now(device)
    work()
    return now(device) - start


def measure(device: str, product: Callable[[], Tensor], runs: int) -> list[float]:
    """`runs` measurements of one product in milliseconds; each is the mean of repetitions that take `SECONDS` together."""
    for _ in range(3):
        product()
    once = min(seconds(device, product) for _ in range(5))
    times = max(1, math.ceil(SECONDS / once))

    def repeat() -> None:
        for _ in range(times):
            product()

    if device == "cuda":
        # A small product takes the device less time than its call takes Python; a graph launches all repetitions at once.
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            repeat()
        repeat = graph.replay
    repeat()
    return [1e3 * seconds(device, repeat) / times for _ in range(runs)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_flags(parser)
    text = f"comma-separated list of ROWSxINxOUT, default {SHAPES}"
    parser.add_argument("--shapes", type=shape_list, default=SHAPES, metavar="LIST", help=text)
    for key, default in {"threads": 2, "runs": 7, "seed": 1}.items():
        parser.add_argument(f"--{key}", type=int, default=default, help=f"default {default}")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    if min(args.threads, args.runs, args.seed) < 1:
        parser.error("every number is at least 1")
    check_flags(parser, args)
    return args


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device, rows = device_name(args.device), []
    print(f"PyTorch  {torch.__version__}, {f'{args.threads} threads' if args.device == 'cpu' else device}")
    print(HEAD, RULE, sep="\n")
    for shape in args.shapes:
        for precision in args.precisions:
            set_products(precision)
            for variant, product in products(shape, precision, args.device).items():
                times = measure(args.device, product, args.runs)
                row = {"name": "matmul", "variant": variant, "precision": precision}
                row["shape"] = {"rows": shape.rows, "in": shape.wide, "out": shape.out}
                row |= {"median_ms": median(times), "min_ms": min(times), "runs": args.runs}
                row["tflops"] = 2e-9 * math.prod(shape) / row["median_ms"]
                rows.append(row)
                print(ROW.format(**row, **row["shape"]))
    if args.json:
        about = {"torch": torch.__version__, "device": device, "rows": rows}
        args.json.write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
