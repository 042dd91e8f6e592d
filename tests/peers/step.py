"""One training step in plain PyTorch, timed in turns with `ssft-wgpu bench steps`; described in README.md."""

import argparse
import ctypes
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from decoder import Decoder, token_nll
from machine import add_flags, check_flags, device_name, now, set_products

RATE, CLIP = 1e-3, 1.0
SHAPE = {  # flags and their defaults, the preset `tiny`
    "width": 128, "inner": 384, "layers": 4, "heads": 4, "vocab": 265, "questions": 4, "forks": 6, "traces": 4,
    "prompt_tokens": 32, "trace_tokens": 96, "match_tokens": 32,
}
ARMS = ("ssft-random", "ssft")
PAIRS = (("ssft-random", "ssft-random"), ("ssft full", "ssft"), ("ssft lazy", "ssft"))  # our variant, and PyTorch's arm
OURS = {"cpu": "cpu", "cuda": "wgpu"}  # name of the device in our program
RUNS_HEAD = "\n| PyTorch | median ms | min ms | cost ms | match ms | train ms | runs |\n|---|--:|--:|--:|--:|--:|--:|"
RUNS_ROW = "| {variant} | {median_ms:.1f} | {min_ms:.1f} | {cost_ms:.1f} | {match_ms:.2f} | {train_ms:.1f} | {runs} |"
RATIOS_HEAD = "\n| ours | PyTorch | ours ms | PyTorch ms | ratio | lowest | highest |\n|---|---|--:|--:|--:|--:|--:|"
RATIOS_ROW = "| {ours} | {torch} | {ours_ms:.1f} | {torch_ms:.1f} | {ratio:.2f} | {lowest:.2f} | {highest:.2f} |"
UNITS = {"f32": 2**-24, "tf32": 2**-10, "bf16": 2**-8}  # largest relative error of an operand; tf32 truncates


class Mode(NamedTuple):
    """Precision of a step, and whether it is compiled. Weights and AdamW are f32 in all modes."""

    precision: str
    compiled: bool

    def __str__(self) -> str:
        return self.precision + " compiled" * self.compiled


class Run(NamedTuple):
    """Milliseconds of a step and of its phases; on CUDA its peak memory in bytes."""

    step_ms: float
    cost_ms: float
    match_ms: float
    train_ms: float
    peak_bytes: int | None


PLAIN = Mode("f32", False)
Runs = dict[tuple[str, Mode], list[Run]]  # by arm and mode


class Batch(NamedTuple):
    prompts: Tensor  # [questions, prompt tokens]
    traces: Tensor  # [questions, traces, trace tokens]


class Peer:
    """A model in training, with its optimizer and its random batches."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.mode = args, PLAIN
        torch.manual_seed(args.seed)
        with torch.device(args.device):
            self.model = Decoder(args)
            self.fork_tokens = torch.arange(args.vocab - args.forks, args.vocab)
        weights = list(self.model.parameters())
        self.parameters = sum(weight.numel() for weight in weights)
        norms = {"params": [weight for weight in weights if weight.dim() == 1], "weight_decay": 0.0}
        matrices = {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": 0.01}
        self.optimizer = torch.optim.AdamW([norms, matrices], RATE, betas=(0.9, 0.95), fused=True)
        self.chunks = dict.fromkeys(args.precisions, args.questions * args.forks * args.traces)
        # Compiled together with the loss, which takes much of a step if the vocabulary is large. Lengths are fixed. A graph that
        # cannot be compiled as a whole is an error, instead of a partly eager one.
        self.compiled_nll = torch.compile(token_nll, fullgraph=True, dynamic=False)

    def use(self, mode: Mode) -> None:
        self.mode = mode
        set_products(mode.precision)

    def batch(self) -> Batch:
        """Random tokens without forking tokens."""
        args, text = self.args, self.args.vocab - self.args.forks
        prompts = torch.randint(text, (args.questions, args.prompt_tokens), device=args.device)
        traces = torch.randint(text, (args.questions, args.traces, args.trace_tokens), device=args.device)
        return Batch(prompts, traces)

    def nll(self, *rows: Tensor) -> Tensor:
        nll = self.compiled_nll if self.mode.compiled else token_nll
        with torch.autocast(self.args.device, torch.bfloat16, enabled=self.mode.precision == "bf16"):
            return nll(self.model, *rows)

    @torch.no_grad()
    def costs(self, batch: Batch) -> Tensor:
        """Costs `[questions, forks, traces]`. Every pair is a separate row with its prompt; a chunk of rows at a time."""
        pairs = (self.args.questions, self.args.forks, self.args.traces)
        prompts = batch.prompts[:, None, None].expand(*pairs, -1).flatten(0, 2)
        forks = self.fork_tokens[None, :, None].expand(pairs).flatten()
        starts = batch.traces[:, None, :, : self.args.match_tokens].expand(*pairs, -1).flatten(0, 2)
        chunks = zip(*(rows.split(self.chunks[self.mode.precision]) for rows in (prompts, forks, starts)))
        return torch.cat([self.nll(*chunk).mean(1) for chunk in chunks]).view(pairs)

    def random_forks(self) -> Tensor:
        """Forks `[questions, traces]`, different ones for the traces of a question."""
        numbers = torch.rand(self.args.questions, self.args.forks, device=self.args.device)
        return numbers.argsort(1)[:, : self.args.traces]

    def matched_nll(self, batch: Batch, forks: Tensor) -> Tensor:
        """Losses `[questions * traces, trace tokens]` of each trace after its fork. All rows have one length: no padding."""
        prompts = batch.prompts.repeat_interleave(self.args.traces, 0)
        return self.nll(prompts, self.fork_tokens[forks].flatten(), batch.traces.flatten(0, 1))

    def update(self, batch: Batch, forks: Tensor) -> float:
        """Forward, backward, clipping and AdamW; returns the loss."""
        loss = self.matched_nll(batch, forks).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def step(self, arm: str) -> Run:
        """One step; its time does not include the generation of random tokens."""
        device, batch = self.args.device, self.batch()
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        start = now(device)
        costs = self.costs(batch) if arm == "ssft" else None
        costed = now(device)
        forks = self.random_forks() if costs is None else match(costs)
        matched = now(device)
        self.update(batch, forks)
        end = now(device)
        peak = torch.cuda.max_memory_allocated() if device == "cuda" else None
        return Run(1e3 * (end - start), 1e3 * (costed - start), 1e3 * (matched - costed), 1e3 * (end - matched), peak)

    def choose_chunk(self) -> dict[str, float]:
        """Sets the faster batching of the costs: all rows at once, or one question at a time. Returns milliseconds of each."""
        rows, device, precision = self.args.forks * self.args.traces, self.args.device, self.mode.precision
        sizes = {"all rows at once": self.args.questions * rows, "per question": rows}
        best = dict.fromkeys(sizes, math.inf)
        for _, (name, self.chunks[precision]) in itertools.product(range(4), sizes.items()):
            batch, start = self.batch(), now(device)
            self.costs(batch)
            best[name] = min(best[name], 1e3 * (now(device) - start))
        self.chunks[precision] = sizes[min(best, key=best.__getitem__)]
        return best

    def compiles(self) -> bool:
        """Compiles the mode, which takes minutes for a large model. Prints the reason and returns False if that fails."""
        batch, start = self.batch(), now(self.args.device)
        try:
            self.costs(batch)
            self.matched_nll(batch, self.random_forks()).mean().backward()
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # the compilers of both devices raise many types, also if they are missing
            said = (str(error).strip() or "no message").splitlines()[0]
            print(f"compile  {self.mode} rows are left out: {type(error).__name__}: {said}")
            return False
        finally:
            self.optimizer.zero_grad(set_to_none=True)
        print(f"compile  {self.mode.precision} in {now(self.args.device) - start:.1f} s")
        return True


def keep_freed_memory() -> None:
    """Makes glibc keep freed memory, as PyTorch's tuning guide recommends. By default it maps the large tensors of every step again."""
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        ctypes.CDLL(None).mallopt(-4, 0)  # M_MMAP_MAX in malloc.h
        ctypes.CDLL(None).mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


def match(costs: Tensor) -> Tensor:
    """Forks `[questions, traces]` with the least total cost of each question, computed by SciPy on the host."""
    forks = [torch.from_numpy(linear_sum_assignment(cost.T.numpy())[1]) for cost in costs.cpu()]
    return torch.stack(forks).to(costs.device)


def measure(peer: Peer, modes: list[Mode]) -> Runs:
    """`runs` runs of each arm in each mode, in turns, after two uncounted steps of each."""
    runs: Runs = {(arm, mode): [] for mode in modes for arm in ARMS}
    for number, (arm, mode) in itertools.product(range(-2, peer.args.runs), runs):
        peer.use(mode)
        run = peer.step(arm)
        runs[arm, mode] += [run] if number >= 0 else []
    return runs


def measure_ours(args: argparse.Namespace) -> dict[str, float]:
    """Median milliseconds of each variant of `ssft-wgpu bench steps`, with the same shape and number of threads."""
    environment = os.environ | {"RAYON_NUM_THREADS": str(args.threads)}
    command = [args.ours, "bench", "steps", f"--device={OURS[args.device]}", f"--runs={args.runs}"]
    if args.model:
        # A trained model has its own shape, and its questions their own lengths; the report has the means of the lengths.
        command += [f"--model={args.model}", f"--difficulty={args.difficulty}"]
        command += [f"--questions={args.questions}", f"--match-tokens={args.match_tokens}"]
    else:
        command += [f"--{key.replace('_', '-')}={getattr(args, key)}" for key in SHAPE]
        command += [f"--kv-heads={args.kv_heads}"] if args.kv_heads != args.heads else []
        command += ["--qkv-bias"] if args.qkv_bias else []
    try:
        with tempfile.TemporaryDirectory() as directory:
            report = Path(directory, "steps.json")
            done = subprocess.run([*command, f"--json={report}"], capture_output=True, text=True, env=environment)
            if done.returncode != 0:
                said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
                sys.exit(f"error: {args.ours} bench steps ended with {done.returncode}: {said}")
            rows = [row for row in json.loads(report.read_text())["rows"] if row["name"] == "step"]
        medians = {row["variant"]: float(row["median_ms"]) for row in rows}
        # The shape in the report must be the requested one.
        for key, row in itertools.product((*SHAPE, "kv_heads", "qkv_bias"), rows):
            if round(row["shape"].get(key, getattr(args, key))) != getattr(args, key):
                sys.exit(f"error: ours ran with {key} = {row['shape'][key]}, PyTorch with {getattr(args, key)}")
        return {ours: medians[ours] for ours, _ in PAIRS}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f"error: {args.ours} bench steps, or the form of its JSON: {error!r}")


def summary(rounds: list[Runs]) -> list[dict[str, Any]]:
    rows = []
    for arm, mode in rounds[0]:
        runs = [run for one in rounds for run in one[arm, mode]]
        times = {key: [getattr(run, key) for run in runs] for key in ("step_ms", "cost_ms", "match_ms", "train_ms")}
        steps = times.pop("step_ms")
        row = {"variant": arm, "precision": mode.precision, "compiled": mode.compiled}
        row |= {"median_ms": median(steps), "min_ms": min(steps), "runs": len(steps)}
        row |= {key: median(ms) for key, ms in times.items()}
        peaks = [run.peak_bytes for run in runs if run.peak_bytes is not None]
        rows.append(row | {"peak_bytes": max(peaks, default=None)})
    return rows


def compare(ours: list[dict[str, float]], rounds: list[Runs], modes: list[Mode]) -> list[dict[str, Any]]:
    """Ratios. The time of a program is the median over rounds of its median in a round; lowest and highest are of single rounds."""
    rows = []
    for mode, (variant, arm) in itertools.product(modes, PAIRS):
        mine, theirs = [one[variant] for one in ours], [median(run.step_ms for run in one[arm, mode]) for one in rounds]
        ratios, mid, other = [a / b for a, b in zip(mine, theirs)], median(mine), median(theirs)
        row = {"ours": variant, "torch": arm, "precision": mode.precision, "compiled": mode.compiled}
        row |= {"ours_ms": mid, "torch_ms": other, "ratio": mid / other}
        rows.append(row | {"lowest": min(ratios), "highest": max(ratios)})
    return rows


def tolerance(args: argparse.Namespace, precision: str, nll: Tensor) -> float:
    """Largest accepted difference of a cost between two computations of it.

    Rounded operands change a logit by 1.6 to 2.2 units of its size in each layer (measured in bf16, 4 to 30 layers). Errors of
    layers add up with the root of their number, and the mean over L tokens divides by the root of L. Five times that is more than
    the largest of a few dozen errors. Without rounded operands only the order of f32 sums differs: a few units of a cost.
    """
    rounding = 2 * UNITS[precision] * math.sqrt(args.layers / args.match_tokens) * nll.std().item()
    return 2e-6 * math.log(args.vocab) + 5 * rounding


def check(peer: Peer) -> None:
    """Asserts that the timed step is correct: its first loss, its costs, its matching, and a falling loss."""
    args, mode, batch, uniform = peer.args, peer.mode, peer.batch(), math.log(peer.args.vocab)
    first = [weight.detach().clone() for weight in peer.model.parameters()]
    costs = peer.costs(batch)
    forks = match(costs)
    nll = peer.matched_nll(batch, forks).detach()
    # Logits with variance s^2 add s^2 / 2 to ln(vocab); here s^2 is the width times the variance of the embedding.
    first_loss = uniform + args.width * 0.02**2 / 2
    assert abs(nll.mean().item() - first_loss) < 0.1, f"the first loss is {nll.mean():.4f}, expected {first_loss:.4f}"
    peer.use(PLAIN)
    plain = peer.matched_nll(batch, forks).detach()
    peer.use(mode)
    starts, exact = (rows[:, : args.match_tokens].mean(1).view(forks.shape) for rows in (nll, plain))
    matched, most = costs.gather(1, forks[:, None]).squeeze(1), tolerance(args, mode.precision, nll)
    apart, rounded = ((starts - other).abs().max().item() for other in (matched, exact))
    forks_differ = costs.std(1).min().item()
    assert apart < most, f"costs are {apart} from the plain loss, more than {most}"
    assert rounded < most, f"costs are {rounded} from those of eager f32, more than {most}"
    # Checked with the tolerance of f32: in bf16, costs of two forks may differ by less than their rounding.
    assert forks_differ > tolerance(args, "f32", plain), f"costs differ by only {forks_differ} between forks"
    every = torch.tensor(list(itertools.permutations(range(args.forks), args.traces)), device=args.device)
    least = costs[:, every, torch.arange(args.traces, device=args.device)].sum(2).amin(1)
    assert torch.allclose(matched.sum(1), least), f"the matchings cost {matched.sum(1)}, the best of all {least}"
    losses = [peer.update(batch, forks) for _ in range(30)]
    print(f"loss     {losses[0]:.4f}, ln(vocab) {uniform:.4f}; after 29 updates on the same batch {losses[-1]:.4f}")
    print(f"costs    within {apart:.1e} of the plain loss, {forks_differ:.1e} between forks; matching optimal")
    if mode != PLAIN:
        print(f"rounding costs within {rounded:.1e} of those of eager f32")
    assert losses[-1] < losses[0] - 0.05, "the loss does not fall"
    with torch.no_grad():  # restores the weights for the check of the next mode
        for weight, value in zip(peer.model.parameters(), first):
            weight.copy_(value)
    peer.optimizer.state.clear()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for key, default in (SHAPE | {"threads": 2, "runs": 7, "seed": 1, "rounds": 3}).items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=int, default=default, help=f"default {default}")
    add_flags(parser)
    parser.add_argument("--kv-heads", type=int, help="heads of keys and values, default --heads")
    parser.add_argument("--qkv-bias", action="store_true", help="queries, keys and values have a bias")
    parser.add_argument("--compile", action="store_true", help="also time every precision with torch.compile")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--ours", help="path of ssft-wgpu, whose `bench steps` runs in turns, --rounds times")
    parser.add_argument("--model", help="trained model or checkpoint of our program, on questions of arithmetic")
    parser.add_argument("--difficulty", type=int, default=1, help="level of the questions of --model, default 1")
    parser.add_argument("--check", action="store_true", help="assert that the step is correct, and stop")
    args = parser.parse_args()
    small = any(type(value) is int and value < 1 for value in vars(args).values())
    if small or args.traces > args.forks or args.forks >= args.vocab or args.width % (2 * args.heads):
        parser.error("every number is at least 1, traces <= forks < vocab, and heads have an even width")
    args.kv_heads = args.kv_heads or args.heads
    if args.heads % args.kv_heads:
        parser.error("--heads is not a multiple of --kv-heads")
    check_flags(parser, args)
    return args


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    if args.device == "cpu":
        keep_freed_memory()
    peer, simd, device = Peer(args), torch.backends.cpu.get_cpu_capability(), device_name(args.device)
    where = f"{args.threads} threads, {simd}" if args.device == "cpu" else device
    print(f"PyTorch  {torch.__version__}, {where}; {peer.parameters} parameters")
    modes, chunks = [Mode(precision, False) for precision in args.precisions], {}
    alone = modes == [PLAIN] and not args.compile
    for mode in modes:
        peer.use(mode)
        chunks[mode.precision] = peer.choose_chunk()
        told = ", ".join(f"{name} {ms:.1f} ms" for name, ms in chunks[mode.precision].items())
        print("costs    " + (f"{told}; the faster is kept" if alone else f"{mode}: {told}; the faster is kept"))
    for mode in [Mode(precision, True) for precision in args.precisions if args.compile]:
        peer.use(mode)
        modes += [mode] if peer.compiles() else []
    if args.check:
        for mode in modes:
            if not alone:
                print(f"\n{mode}")
            peer.use(mode)
            check(peer)
        return
    ours, rounds = [], []
    for _ in range(args.rounds if args.ours else 1):
        if args.device == "cuda":
            torch.cuda.empty_cache()  # frees memory on the card for our program
        ours += [measure_ours(args)] if args.ours else []
        rounds.append(measure(peer, modes))
    rows, table = summary(rounds), compare(ours, rounds, modes) if ours else []

    def named(row: dict[str, Any], key: str) -> dict[str, Any]:
        return row if alone else row | {key: f"{row[key]} {Mode(row['precision'], row['compiled'])}"}

    print(RUNS_HEAD, *(RUNS_ROW.format(**named(row, "variant")) for row in rows), sep="\n")
    if table:
        print(RATIOS_HEAD, *(RATIOS_ROW.format(**named(row, "torch")) for row in table), sep="\n")
    if args.json:
        settings = {key: value for key, value in vars(args).items() if type(value) is int}
        about = {"torch": torch.__version__, "device": device, "simd": simd, "parameters": peer.parameters}
        about |= {"settings": settings | {"qkv_bias": args.qkv_bias}, "chunk_ms": chunks[args.precisions[0]]}
        about |= {"chunk_rows": peer.chunks, "rows": rows, "compare": table}
        args.json.write_text(json.dumps(about, indent=2) + "\n")
    if args.compile and sum(mode.compiled for mode in modes) < len(args.precisions):
        sys.exit("error: not every precision was compiled; the reason is printed above")


if __name__ == "__main__":
    main()
