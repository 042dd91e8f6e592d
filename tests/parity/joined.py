"""Tokenizers of every kind that treats the middle of a text in its own way, and their tokens of whole texts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from make_fixture import CHATML, CORPUS
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
FORKS = ["<think1>", "<think2>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
TEXTS = [*CORPUS, "a\nb\n\nc", "\n\n1. one\n2. two\n", "x = [1, 2]; y = 'é'", "Straße, naïve, 12 + 35 = 47"]


def bpe(normalizer: Any, splitter: Any, **settings: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(**settings))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    with_bytes = settings.get("byte_fallback", False)
    alphabet = pre_tokenizers.ByteLevel.alphabet() if isinstance(splitter, pre_tokenizers.ByteLevel) else []
    special = [*SPECIAL, *(BYTES if with_bytes else [])]
    trainer = trainers.BpeTrainer(vocab_size=480, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return only_special(tokenizer)


def unigram(normalizer: Any, splitter: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def only_special(tokenizer: Tokenizer) -> Tokenizer:
    """Byte tokens are special while a tokenizer is trained, to get the first ids; afterwards they are ordinary tokens."""
    plain = json.loads(tokenizer.to_str())
    plain["added_tokens"] = plain["added_tokens"][: len(SPECIAL)]
    return Tokenizer.from_str(json.dumps(plain))


def metaspace(scheme: str, split: bool = True) -> Any:
    return pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)


def sentencepiece() -> Any:
    """The normalizers that converters of SentencePiece models write."""
    parts = [normalizers.NFKC(), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]
    return normalizers.Sequence(parts)


def legacy() -> Any:
    return normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])


def of_bytes(prefix: bool) -> Any:
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix)


BYTE_BPE = dict(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
KINDS: dict[str, Callable[[], Tokenizer]] = {
    "metaspace first, bpe": lambda: bpe(None, metaspace("first", False), **BYTE_BPE),
    "metaspace always, bpe": lambda: bpe(None, metaspace("always"), **BYTE_BPE),
    "metaspace never, bpe": lambda: bpe(None, metaspace("never", False), **BYTE_BPE),
    "metaspace first, unigram": lambda: unigram(None, metaspace("first")),
    "metaspace always, unigram, sentencepiece": lambda: unigram(sentencepiece(), metaspace("always")),
    "metaspace never, unigram": lambda: unigram(normalizers.NFKC(), metaspace("never")),
    "legacy prepend": lambda: bpe(legacy(), None, **BYTE_BPE),
    "legacy prepend, normalized forks": lambda: bpe(legacy(), None, **BYTE_BPE),
    "byte level": lambda: bpe(None, of_bytes(False)),
    "byte level, prefix": lambda: bpe(None, of_bytes(True)),
    "byte level, tokens that strip": lambda: bpe(None, of_bytes(False)),
    "word piece": word_piece,
    "words without unk": lambda: bpe(None, pre_tokenizers.Whitespace()),
}


def make_kind(kind: str, directory: Path) -> None:
    """Writes the files of a tokenizer; its beginning of a sequence is put in front of texts without a template."""
    trained = KINDS[kind]()
    trained.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    strips = "strip" in kind
    tokenizer.add_tokens([AddedToken(name, normalized="normalized" in kind, lstrip=strips, rstrip=strips) for name in FORKS])
    if strips:
        tokenizer._tokenizer.add_special_tokens([AddedToken("</s>", lstrip=True), AddedToken("<|im_start|>", rstrip=True)])
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(directory)


def encode_whole(directory: str, texts: list[str], start: bool) -> list[list[int]]:
    """Tokens of whole texts, in which special tokens and forking tokens are recognized."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    return [tokenizer.encode(text, add_special_tokens=start) for text in texts]
