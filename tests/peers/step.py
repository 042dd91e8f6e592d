"""One training step in plain PyTorch on the CPU, timed beside `ssft-wgpu bench steps`; README.md has the rules."""

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
from time import perf_counter
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

ROPE_THETA, EPSILON, RATE, CLIP = 10_000.0, 1e-5, 1e-3, 1.0
SHAPE = {  # flag: default, those of the preset `tiny`
    "width": 128, "inner": 384, "layers": 4, "heads": 4, "vocab": 265, "questions": 4, "forks": 6, "traces": 4,
    "prompt_tokens": 32, "trace_tokens": 96, "match_tokens": 32,
}
ARMS, PHASES = ("ssft-random", "ssft"), ("cost", "match", "train")
PAIRS = (("ssft-random", "ssft-random"), ("ssft full", "ssft"), ("ssft lazy", "ssft"))  # ours, and PyTorch's arm
RUNS_HEAD = "\n| PyTorch | median ms | min ms | cost ms | match ms | train ms | runs |\n|---|--:|--:|--:|--:|--:|--:|"
RUNS_ROW = "| {variant} | {median_ms:.1f} | {min_ms:.1f} | {cost_ms:.1f} | {match_ms:.2f} | {train_ms:.1f} | {runs} |"
RATIOS_HEAD = "\n| ours | PyTorch | ours ms | PyTorch ms | ratio | lowest | highest |\n|---|---|--:|--:|--:|--:|--:|"
RATIOS_ROW = "| {ours} | {torch} | {ours_ms:.1f} | {torch_ms:.1f} | {ratio:.2f} | {lowest:.2f} | {highest:.2f} |"
Times = dict[str, list[list[float]]]  # by arm, run by run: the step, then its phases


class Block(nn.Module):
    """Attention and SwiGLU, each behind a norm. Gate and up are two products: SwiGLU is slower on halves of one."""

    def __init__(self, width: int, inner: int, heads: int):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.RMSNorm(width, EPSILON)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.mlp_norm = nn.RMSNorm(width, EPSILON)
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rows, tokens, width = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(rows, tokens, 3, self.heads, -1)
        query, key = rotate(qkv[:, :, :2], cos, sin).transpose(1, 3).unbind(2)
        mixed = F.scaled_dot_product_attention(query, key, qkv[:, :, 2].transpose(1, 2), is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(rows, tokens, width))
        normed = self.mlp_norm(x)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns queries and keys together, first half of a head against its second half as Llama does."""
    left, right = x.chunk(2, -1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), -1)


class Decoder(nn.Module):
    """A Llama-style decoder whose embedding is its head, with the initial deviations of `DecoderConfig`."""

    def __init__(self, width: int, inner: int, layers: int, heads: int, vocab: int, context: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.blocks = nn.ModuleList(Block(width, inner, heads) for _ in range(layers))
        self.norm = nn.RMSNorm(width, EPSILON)
        head = width // heads
        angles = torch.outer(torch.arange(context), ROPE_THETA ** (-torch.arange(0, head, 2) / head))
        self.register_buffer("turns", torch.stack((angles.cos(), angles.sin()))[:, :, None, None], persistent=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        for block in self.blocks:
            for reads in (block.qkv, block.gate, block.up):
                nn.init.normal_(reads.weight, std=width**-0.5)
            for writes in (block.out, block.down):
                nn.init.normal_(writes.weight, std=(2 * layers * width) ** -0.5)

    def forward(self, tokens: Tensor, targets: int) -> Tensor:
        """Logits of the last `targets` positions of every row; no other position needs any."""
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, *self.turns[:, : tokens.shape[1]])
        return F.linear(self.norm(x[:, -targets:]), self.embedding.weight)


def token_nll(model: Decoder, prompts: Tensor, forks: Tensor, traces: Tensor) -> Tensor:
    """Negative log-likelihood of every trace token, `[rows, tokens]`; a row is [prompt, fork, trace but its last]."""
    rows = torch.cat((prompts, forks[:, None], traces[:, :-1]), 1)
    logits = model(rows, traces.shape[1]).flatten(0, 1)
    return F.cross_entropy(logits, traces.flatten(), reduction="none").view(traces.shape)


class Batch(NamedTuple):
    prompts: Tensor  # [questions, prompt tokens]
    traces: Tensor  # [questions, traces, trace tokens]


class Peer:
    """A model in training, and where its batches come from."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        torch.manual_seed(args.seed)
        shape = (args.width, args.inner, args.layers, args.heads, args.vocab)
        self.model = Decoder(*shape, context=args.prompt_tokens + args.trace_tokens)
        weights = list(self.model.parameters())
        self.parameters = sum(weight.numel() for weight in weights)
        norms = {"params": [weight for weight in weights if weight.dim() == 1], "weight_decay": 0.0}
        matrices = {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": 0.01}
        self.optimizer = torch.optim.AdamW([norms, matrices], RATE, betas=(0.9, 0.95), fused=True)
        self.fork_tokens = torch.arange(args.vocab - args.forks, args.vocab)
        self.chunk = args.questions * args.forks * args.traces

    def batch(self) -> Batch:
        """Random text; no forking token is part of it."""
        args, text = self.args, self.args.vocab - self.args.forks
        prompts = torch.randint(text, (args.questions, args.prompt_tokens))
        return Batch(prompts, torch.randint(text, (args.questions, args.traces, args.trace_tokens)))

    @torch.no_grad()
    def costs(self, batch: Batch) -> Tensor:
        """`[questions, forks, traces]`: every pair is a row of its own, prompt included; `chunk` rows at a time."""
        pairs = (self.args.questions, self.args.forks, self.args.traces)
        prompts = batch.prompts[:, None, None].expand(*pairs, -1).flatten(0, 2)
        forks = self.fork_tokens[None, :, None].expand(pairs).flatten()
        starts = batch.traces[:, None, :, : self.args.match_tokens].expand(*pairs, -1).flatten(0, 2)
        chunks = zip(*(rows.split(self.chunk) for rows in (prompts, forks, starts)))
        return torch.cat([token_nll(self.model, *chunk).mean(1) for chunk in chunks]).view(pairs)

    def random_forks(self) -> Tensor:
        """`[questions, traces]`: a different fork for each trace of a question."""
        return torch.rand(self.args.questions, self.args.forks).argsort(1)[:, : self.args.traces]

    def matched_nll(self, batch: Batch, forks: Tensor) -> Tensor:
        """`[questions * traces, trace tokens]`, each trace behind its fork. All rows are as long: no padding."""
        prompts = batch.prompts.repeat_interleave(self.args.traces, 0)
        return token_nll(self.model, prompts, self.fork_tokens[forks].flatten(), batch.traces.flatten(0, 1))

    def update(self, batch: Batch, forks: Tensor) -> float:
        """The plain step."""
        loss = self.matched_nll(batch, forks).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def step(self, arm: str) -> list[float]:
        """Milliseconds of one step, then of its phases. Making random text is not part of it."""
        batch, start = self.batch(), perf_counter()
        costs = self.costs(batch) if arm == "ssft" else None
        costed = perf_counter()
        forks = self.random_forks() if costs is None else match(costs)
        matched = perf_counter()
        self.update(batch, forks)
        end = perf_counter()
        return [1e3 * seconds for seconds in (end - start, costed - start, matched - costed, end - matched)]

    def choose_chunk(self) -> dict[str, float]:
        """Keeps the faster of all rows at once and one question at a time; returns milliseconds of each."""
        sizes = {"all rows at once": self.chunk, "per question": self.chunk // self.args.questions}
        best = dict.fromkeys(sizes, math.inf)
        for _, (name, self.chunk) in itertools.product(range(4), sizes.items()):
            batch, start = self.batch(), perf_counter()
            self.costs(batch)
            best[name] = min(best[name], 1e3 * (perf_counter() - start))
        self.chunk = sizes[min(best, key=best.__getitem__)]
        return best


def keep_freed_memory() -> None:
    """As the allocators of PyTorch's tuning guide do: else glibc asks for the large tensors of every step anew."""
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        ctypes.CDLL(None).mallopt(-4, 0)  # M_MMAP_MAX in malloc.h
        ctypes.CDLL(None).mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


def match(costs: Tensor) -> Tensor:
    """`[questions, traces]`: the forks that cost least together, question by question."""
    return torch.stack([torch.from_numpy(linear_sum_assignment(cost.T.numpy())[1]) for cost in costs])


def measure(peer: Peer, runs: int) -> Times:
    """`runs` runs of each arm, which take turns; two steps of each before them are not counted."""
    times: Times = {arm: [] for arm in ARMS}
    for run, arm in itertools.product(range(-2, runs), ARMS):
        step = peer.step(arm)
        times[arm] += [step] if run >= 0 else []
    return times


def measure_ours(args: argparse.Namespace) -> dict[str, float]:
    """Median milliseconds of each variant of `ssft-wgpu bench steps`, at the same shape on as many threads."""
    environment = os.environ | {"RAYON_NUM_THREADS": str(args.threads)}
    command = [args.ours, "bench", "steps", "--device=cpu", f"--runs={args.runs}"]
    if args.model:
        # A trained model has a shape, and questions with lengths of their own; of the latter it tells the means.
        command += [f"--model={args.model}", f"--difficulty={args.difficulty}"]
        command += [f"--questions={args.questions}", f"--match-tokens={args.match_tokens}"]
    else:
        command += [f"--{key.replace('_', '-')}={getattr(args, key)}" for key in SHAPE]
    try:
        with tempfile.TemporaryDirectory() as directory:
            report = Path(directory, "steps.json")
            done = subprocess.run([*command, f"--json={report}"], capture_output=True, text=True, env=environment)
            if done.returncode != 0:
                said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
                sys.exit(f"error: {args.ours} bench steps ended with {done.returncode}: {said}")
            rows = [row for row in json.loads(report.read_text())["rows"] if row["name"] == "step"]
        medians = {row["variant"]: float(row["median_ms"]) for row in rows}
        # What it says it ran has to be what was asked.
        for key, row in itertools.product(SHAPE, rows):
            if round(row["shape"].get(key, getattr(args, key))) != getattr(args, key):
                sys.exit(f"error: ours ran with {key} = {row['shape'][key]}, PyTorch with {getattr(args, key)}")
        return {ours: medians[ours] for ours, _ in PAIRS}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f"error: {args.ours} bench steps, or the form of its JSON: {error!r}")


def summary(rounds: list[Times]) -> list[dict[str, Any]]:
    rows = []
    for arm in ARMS:
        step, *phases = zip(*(run for times in rounds for run in times[arm]))
        row = {"variant": arm, "median_ms": median(step), "min_ms": min(step), "runs": len(step)}
        rows.append(row | {f"{phase}_ms": median(ms) for phase, ms in zip(PHASES, phases)})
    return rows


def compare(ours: list[dict[str, float]], rounds: list[Times]) -> list[dict[str, Any]]:
    """A side is the median over rounds of its median in a round; lowest and highest are ratios of single rounds."""
    rows = []
    for variant, arm in PAIRS:
        mine, theirs = [one[variant] for one in ours], [median(step for step, *_ in times[arm]) for times in rounds]
        ratios, mid, other = [a / b for a, b in zip(mine, theirs)], median(mine), median(theirs)
        row = {"ours": variant, "torch": arm, "ours_ms": mid, "torch_ms": other, "ratio": mid / other}
        rows.append(row | {"lowest": min(ratios), "highest": max(ratios)})
    return rows


def check(peer: Peer) -> None:
    """What the timings rest on: the loss, the costs and the matching are what they should be."""
    args, batch, uniform = peer.args, peer.batch(), math.log(peer.args.vocab)
    forks = match(costs := peer.costs(batch))
    nll = peer.matched_nll(batch, forks).detach()
    assert abs(nll.mean().item() - uniform) < 0.1, f"loss {nll.mean():.4f} at first, but ln(vocab) is {uniform:.4f}"
    starts = nll[:, : args.match_tokens].mean(1).view(forks.shape)
    matched = costs.gather(1, forks[:, None]).squeeze(1)
    apart, forks_differ = (starts - matched).abs().max().item(), costs.std(1).min().item()
    assert apart < 1e-5 < forks_differ, f"costs are {apart} from the plain loss, {forks_differ} between forks"
    every = torch.tensor(list(itertools.permutations(range(args.forks), args.traces)))
    least = costs[:, every, torch.arange(args.traces)].sum(2).amin(1)
    assert torch.allclose(matched.sum(1), least), f"the matchings cost {matched.sum(1)}, the best of all {least}"
    losses = [peer.update(batch, forks) for _ in range(30)]
    print(f"loss     {losses[0]:.4f}, ln(vocab) {uniform:.4f}; after 29 updates on the same batch {losses[-1]:.4f}")
    print(f"costs    within {apart:.1e} of the plain loss, {forks_differ:.1e} between forks; matching optimal")
    assert losses[-1] < losses[0] - 0.05, "it does not learn"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for key, default in (SHAPE | {"threads": 2, "runs": 7, "seed": 1, "rounds": 3}).items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=int, default=default, help=f"default {default}")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--ours", help="path of ssft-wgpu: take turns with its `bench steps`, --rounds times")
    parser.add_argument("--model", help="ours from this trained model or checkpoint, on questions of arithmetic")
    parser.add_argument("--difficulty", type=int, default=1, help="of the questions of --model, default 1")
    parser.add_argument("--check", action="store_true", help="assert that it computes what it should, and stop")
    args = parser.parse_args()
    small = any(type(value) is int and value < 1 for value in vars(args).values())
    if small or args.traces > args.forks or args.forks >= args.vocab or args.width % (2 * args.heads):
        parser.error("every number is at least 1, traces <= forks < vocab, and heads have an even width")
    return args


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    peer, simd = Peer(args), torch.backends.cpu.get_cpu_capability()
    print(f"PyTorch  {torch.__version__}, {args.threads} threads, {simd}; {peer.parameters} parameters")
    chunks = peer.choose_chunk()
    print("costs    " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in chunks.items()) + "; the faster is kept")
    if args.check:
        return check(peer)
    ours, rounds = [], []
    for _ in range(args.rounds if args.ours else 1):
        ours += [measure_ours(args)] if args.ours else []
        rounds.append(measure(peer, args.runs))
    rows, table = summary(rounds), compare(ours, rounds) if ours else []
    print(RUNS_HEAD, *(RUNS_ROW.format(**row) for row in rows), sep="\n")
    if table:
        print(RATIOS_HEAD, *(RATIOS_ROW.format(**row) for row in table), sep="\n")
    if args.json:
        settings = {key: value for key, value in vars(args).items() if type(value) is int}
        about = {"torch": torch.__version__, "simd": simd, "parameters": peer.parameters, "settings": settings}
        args.json.write_text(json.dumps(about | {"chunk_ms": chunks, "rows": rows, "compare": table}, indent=2) + "\n")


if __name__ == "__main__":
    main()
