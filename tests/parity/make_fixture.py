"""Small random models of each family, saved by transformers.

`python tests/parity/make_fixture.py` writes `fixture/` and `fixture-in-parts/` again; the same versions give the same bytes.
`python tests/parity/make_fixture.py smollm2-135m my-model` writes a stand-in for a published model instead, with random weights and
a small vocabulary of words.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2Tokenizer,
    Qwen3Config,
)

CORPUS = ["What is 12+35? Let's carry the one: 2+5=7, 10+30=40. The answer is 47.", "the question, the answer, the end"]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
INST = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "{{ ' ' + message['content'].strip() + eos_token }}{% else %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% endif %}{% endfor %}"
)
FORKS = ["<think1>", "<think2>"]


def qwen_tokenizer(forks: list[str]) -> PreTrainedTokenizerBase:
    """Byte-level BPE after Qwen's regular expression and NFC; special tokens follow the vocabulary."""
    trained = Qwen2Tokenizer()._tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=sorted(alphabet), show_progress=False)
    trained.train_from_iterator(CORPUS, trainer)
    model = json.loads(trained.to_str())["model"]
    # The trainer puts existing special tokens first; they are removed here and added after the vocabulary.
    vocab = [token for token in sorted(model["vocab"], key=model["vocab"].get) if not token.startswith("<|")]
    tokenizer = Qwen2Tokenizer(
        vocab={token: index for index, token in enumerate(vocab)},
        merges=[tuple(merge) for merge in model["merges"]],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>", *forks],
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def llama_tokenizer(forks: list[str]) -> PreTrainedTokenizerBase:
    """BPE like SentencePiece's: blanks become U+2581, unknown characters become bytes, `<s>` is prepended."""
    trained = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=special, show_progress=False)
    trained.train_from_iterator(CORPUS, trainer)
    # Byte tokens are special during training, to get the first ids; afterwards they are ordinary tokens.
    plain = json.loads(trained.to_str())
    plain["added_tokens"] = plain["added_tokens"][:3]
    trained = Tokenizer.from_str(json.dumps(plain))
    trained.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trained.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        extra_special_tokens=forks,
    )
    tokenizer.chat_template = INST
    return tokenizer


def every_tokenizer(forks: list[str]) -> PreTrainedTokenizerBase:
    """As `llama_tokenizer`, with ChatML."""
    tokenizer = llama_tokenizer(["<|im_start|>", "<|im_end|>", *forks])
    tokenizer.chat_template = CHATML
    return tokenizer


def first_tokenizer(forks: list[str]) -> PreTrainedTokenizerBase:
    """As `every_tokenizer`, but only the first word of a text gets a blank."""
    tokenizer = every_tokenizer(forks)
    backend = tokenizer.backend_tokenizer
    backend.normalizer = None
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return tokenizer


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
# Properties of published checkpoints that change how they are read or computed, each at least once a family.
VARIANTS: dict[str, dict[str, Any]] = {
    "llama": dict(forks=FORKS, attention_bias=True),
    "llama, llama3 rope, f32, untied, in parts": dict(
        dtype=torch.float32, rope_parameters={**LLAMA3, "rope_theta": 5e5}, mlp_bias=True, shard="4KB", spare=0
    ),
    "llama, linear rope, f16, tied": dict(
        dtype=torch.float16, tie_word_embeddings=True, rope_parameters={"rope_type": "linear", "factor": 2.0}
    ),
    "llama, dynamic rope, one key head": dict(
        num_key_value_heads=1, rope_parameters={"rope_type": "dynamic", "factor": 2.0}, spare=0
    ),
    "llama, blank in front of every part, ChatML": dict(forks=FORKS, tokenizer=every_tokenizer),
    "llama, blank in front of the first word only": dict(forks=FORKS, tokenizer=first_tokenizer),
    "qwen2": dict(forks=FORKS),
    "qwen2, yarn, f32, tied, in parts": dict(
        dtype=torch.float32, tie_word_embeddings=True, rope_parameters={**YARN, "rope_theta": 1e6}, shard="4KB"
    ),
    "qwen3": dict(forks=FORKS, head_dim=8, tie_word_embeddings=True, rope_parameters={"rope_theta": 1e6}),
    "qwen3, yarn, f32, untied, in parts": dict(
        dtype=torch.float32, head_dim=8, rope_parameters={**YARN, "rope_theta": 1e6}, shard="4KB", spare=0
    ),
}


def make(variant: str, directory: Path) -> None:
    """Writes a model. Unless the variant changes it: grouped queries, bf16, one file, more embedding rows than tokens (as in
    published models), no forking tokens."""
    family = variant.split(",")[0]
    own = dict(VARIANTS[variant])
    forks, spare, shard = own.pop("forks", []), own.pop("spare", 4), own.pop("shard", "1GB")
    tokenizer = own.pop("tokenizer", llama_tokenizer if family == "llama" else qwen_tokenizer)(forks)
    rows = len(tokenizer) + spare
    shape = dict(
        vocab_size=-(-rows // 16) * 16 if spare else rows,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype=torch.bfloat16,
    )
    kind = {"llama": LlamaConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config}[family]
    model = AutoModelForCausalLM.from_config(kind(**{**shape, **own}))
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        # All weights are random: a norm of ones or a bias of zeros would hide that it is not read.
        for name, weight in sorted(model.named_parameters()):
            noise = torch.randn(weight.shape, generator=random) * (0.5 if weight.dim() == 1 else 0.35)
            weight.copy_(noise + (1.0 if "norm" in name else 0.0))
    model.save_pretrained(directory, max_shard_size=shard)
    tokenizer.save_pretrained(directory)


# Shapes of published models.
SHAPES: dict[str, dict[str, Any]] = {
    "smollm2-135m": dict(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3),
    "smollm2-360m": dict(hidden_size=960, intermediate_size=2560, num_hidden_layers=32, num_attention_heads=15, num_key_value_heads=5),
}


def make_stand_in(shape: str, directory: Path) -> None:
    """Writes a Llama model in bf16, tied, with ChatML; most of the 49,152 embedding rows have no token."""
    tokenizer = qwen_tokenizer([])
    config = LlamaConfig(
        **SHAPES[shape],
        vocab_size=49152,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.convert_tokens_to_ids("<|im_start|>"),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        rope_parameters={"rope_type": "default", "rope_theta": 1e5},
        dtype=torch.bfloat16,
    )
    torch.manual_seed(5)
    AutoModelForCausalLM.from_config(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def main() -> None:
    if len(sys.argv) == 3:
        make_stand_in(sys.argv[1], Path(sys.argv[2]))
        return
    make_fixture("qwen3", Path(__file__).parent / "fixture", FORKS)
    # Without forks, with several files, scaled frequencies and an untied head.
    make_fixture("llama, llama3 rope, f32, untied, in parts", Path(__file__).parent / "fixture-in-parts", [])


def make_fixture(variant: str, directory: Path, forks: list[str]) -> None:
    """Writes a model and the results of transformers for it, for the tests without Python."""
    make(variant, directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    question = tokenizer.encode("What is 12+35?", add_special_tokens=False)
    ids = tokenizer.convert_tokens_to_ids(forks) or [66]
    forked = [*question, ids[0], *tokenizer.encode("2+5=7", add_special_tokens=False)]
    rows = [[65], forked, [3, 1, 4, 1, 5, 9, ids[-1]]]
    with torch.no_grad():
        logits = [model(torch.tensor([row])).logits[0, -1].tolist() for row in rows]
    text = "Don't carry the one:\u00a0e\u0301 日本 12+35\r\n <think1>"
    chat = [{"role": "user", "content": " What is 12+35? "}]
    expected = {
        "rows": [{"tokens": row, "last_logits": [round(x, 6) for x in last]} for row, last in zip(rows, logits)],
        "text": text,
        "tokens": tokenizer.encode(text, split_special_tokens=True, add_special_tokens=False),
        "chat": tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True),
    }
    (directory / "logits.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
