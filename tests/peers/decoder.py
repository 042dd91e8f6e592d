"""The model of step.py, and its loss on rows of tokens."""

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROPE_THETA, EPSILON = 10_000.0, 1e-5


class Block(nn.Module):
    """Attention and SwiGLU, each after a norm. Gate and up are two products, because SwiGLU is slower on halves of one."""

    def __init__(self, width: int, inner: int, heads: int, kv_heads: int, qkv_bias: bool):
        super().__init__()
        self.heads, self.kv_heads, self.head = heads, kv_heads, width // heads
        self.attention_norm = nn.RMSNorm(width, EPSILON)
        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * self.head, bias=qkv_bias)
        self.out = nn.Linear(width, width, bias=False)
        self.mlp_norm = nn.RMSNorm(width, EPSILON)
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        qkv = self.qkv(self.attention_norm(x)).unflatten(2, (-1, self.head))
        turned, value = qkv.split((self.heads + self.kv_heads, self.kv_heads), 2)
        query, key = rotate(turned, turns).transpose(1, 2).split((self.heads, self.kv_heads), 1)
        x = x + self.out(attention(query, key, value.transpose(1, 2)).transpose(1, 2).flatten(2))
        normed = self.mlp_norm(x)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Rotary embedding of queries and keys together: the first half of a head with its second half, as in Llama."""
    (left, right), (cos, sin) = x.chunk(2, -1), turns.to(x.dtype)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), -1)


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention of `[rows, heads, tokens, head]`; equal groups of query heads share a head of `key` and `value`."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1 and query.is_cuda and query.dtype == torch.float32:
        # No fused CUDA kernel shares heads in f32; with enable_gqa PyTorch would use its slow implementation without a warning.
        key, value = (x[:, :, None].expand(-1, -1, groups, -1, -1).flatten(1, 2) for x in (key, value))
        groups = 1
    return F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=groups > 1)


class Decoder(nn.Module):
    """A Llama-style decoder with tied embedding and head, and the initial standard deviations of `DecoderConfig`."""

    def __init__(self, args: argparse.Namespace):
        super().__init__()
        width, layers, head = args.width, args.layers, args.width // args.heads
        context = args.prompt_tokens + args.trace_tokens
        self.embedding = nn.Embedding(args.vocab, width)
        blocks = (Block(width, args.inner, args.heads, args.kv_heads, args.qkv_bias) for _ in range(layers))
        self.blocks, self.norm = nn.ModuleList(blocks), nn.RMSNorm(width, EPSILON)
        angles = torch.outer(torch.arange(context), ROPE_THETA ** (-torch.arange(0, head, 2) / head))
        self.register_buffer("turns", torch.stack((angles.cos(), angles.sin()))[:, :, None], persistent=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        for block in self.blocks:
            for reads in (block.qkv, block.gate, block.up):
                nn.init.normal_(reads.weight, std=width**-0.5)
            if args.qkv_bias:
                nn.init.zeros_(block.qkv.bias)
            for writes in (block.out, block.down):
                nn.init.normal_(writes.weight, std=(2 * layers * width) ** -0.5)

    def forward(self, tokens: Tensor, targets: int) -> Tensor:
        """Logits of the last `targets` positions of every row, the only ones with targets."""
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.turns[:, : tokens.shape[1]])
        return F.linear(self.norm(x[:, -targets:]), self.embedding.weight)


def token_nll(model: Decoder, prompts: Tensor, forks: Tensor, traces: Tensor) -> Tensor:
    """Negative log-likelihood of every trace token, `[rows, tokens]`; a row is [prompt, fork, trace without its last token]."""
    rows = torch.cat((prompts, forks[:, None], traces[:, :-1]), 1)
    logits = model(rows, traces.shape[1]).flatten(0, 1)
    return F.cross_entropy(logits, traces.flatten(), reduction="none").view(traces.shape)
