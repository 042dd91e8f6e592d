"""Parts that step.py and matmul.py share: device, precisions and clock."""

import argparse
from time import perf_counter

import torch

PRECISIONS = ("f32", "tf32", "bf16")


def precision_list(text: str) -> list[str]:
    """Parser of `--precisions`."""
    names = text.split(",")
    if len(set(names)) < len(names) or not set(names) <= set(PRECISIONS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of different names of {', '.join(PRECISIONS)}")
    return names


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where PyTorch computes, default cpu")
    text = "comma-separated list of f32, tf32 (CUDA only) and bf16, default f32"
    parser.add_argument("--precisions", type=precision_list, default=["f32"], metavar="LIST", help=text)


def check_flags(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuses precisions that the device does not have: PyTorch accepts tf32 there and computes in f32 without a warning."""
    if args.device == "cpu":
        if "tf32" in args.precisions:
            parser.error("precision tf32 needs --device cuda")
    elif not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch sees no CUDA device")
    elif args.precisions != ["f32"] and torch.cuda.get_device_capability() < (8, 0):
        parser.error(f"{device_name(args.device)} has neither tf32 nor bf16")


def device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def set_products(precision: str) -> None:
    """Sets whether products of f32 tensors, backward ones included, may round their operands to tf32."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")


def now(device: str) -> float:
    """Time in seconds, after the device has finished all work."""
    if device == "cuda":
        torch.cuda.synchronize()
    return perf_counter()
