"""Results of transformers for a model directory: a JSON request on each line of stdin, a JSON reply on each line of stdout."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from joined import KINDS, encode_whole, make_kind
from make_fixture import VARIANTS, make
from templates import render_all
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

Tokens = list[int]


def continuation(model: Any, tokens: Tokens, eos: int, most: int) -> dict[str, Any]:
    """Greedy continuation (generation_config.json has no sampling) up to `eos`."""
    row = torch.tensor([tokens])
    out = model.generate(
        row,
        attention_mask=torch.ones_like(row),
        max_new_tokens=most,
        eos_token_id=eos,
        return_dict_in_generate=True,
        output_logits=True,
    )
    new = out.sequences[0, len(tokens) :].tolist()
    chosen = [logits[0].log_softmax(-1)[token].item() for logits, token in zip(out.logits, new)]
    return {"tokens": new, "logprob": sum(chosen)}


def chat(tokenizer: Any, messages: list[dict[str, str]], before: str) -> dict[str, Any]:
    """The rendered chat, and its tokens up to the forking token, which stands behind the text `before`."""
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return {"text": text, "tokens": tokenizer.encode(text + before, add_special_tokens=False)}


@torch.no_grad()
def examine(request: dict[str, Any]) -> dict[str, Any]:
    directory = request["directory"]
    model, loading = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, output_loading_info=True)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    encode = lambda text, split: tokenizer.encode(text, add_special_tokens=False, split_special_tokens=split)
    return {
        "loading": {key: sorted(map(str, found)) for key, found in loading.items() if found},
        "dtype": str(AutoConfig.from_pretrained(directory).dtype),
        "generation": model.generation_config.to_dict(),
        "eos": tokenizer.eos_token_id,
        "pad": tokenizer.pad_token_id,
        "tokens": len(tokenizer),
        "context": tokenizer.model_max_length,
        "forks": [encode(name, False) for name in request["forks"]],
        "special": sorted(tokenizer.all_special_ids),
        "texts": [encode(text, True) for text in request["texts"]],
        "plain": tokenizer.encode(request["plain"]),
        "prompts": [tokenizer.encode(text, add_special_tokens=request["start"]) for text in request["whole"]],
        "decoded": [tokenizer.decode(row, skip_special_tokens=True) for row in request["rows"]],
        "chats": [chat(tokenizer, messages, request["before"]) for messages in request["chats"]],
        "logits": [model(torch.tensor([row])).logits[0].tolist() for row in request["rows"]],
        "continuations": [continuation(model, row, request["stop"], request["most"]) for row in request["prompts"]],
    }


def answer(request: dict[str, Any]) -> dict[str, Any]:
    if "variants" in request:
        return {"variants": list(VARIANTS)}
    if "make" in request:
        make(request["make"], Path(request["directory"]))
        return {}
    if "kinds" in request:
        return {"kinds": list(KINDS)}
    if "kind" in request:
        make_kind(request["kind"], Path(request["directory"]))
        return {}
    if "whole texts" in request:
        return {"tokens": encode_whole(request["directory"], request["whole texts"], request["start"])}
    if "templates" in request:
        return {"templates": render_all(request["templates"], request["tokens"])}
    return examine(request)


def main() -> None:
    # Output of the libraries goes to stderr, so that stdout has replies only.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Small models are faster with one thread.
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=replies, flush=True)


if __name__ == "__main__":
    main()
