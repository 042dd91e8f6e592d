"""Published chat templates, rendered by transformers itself.

They come with the package `trl`, of which only these files are read (it is installed without what it depends on).
"""

import importlib.util
from datetime import datetime
from pathlib import Path
from typing import Any

from transformers.utils import chat_template_utils

# Those of Llama and Qwen, with TRL's variants that mark what is learned.
FAMILIES = ("llama3", "qwen2_5", "qwen3")
NOT_TEXT = ("_vl",)


class FixedDay(datetime):
    """What templates take for today."""

    @classmethod
    def now(cls, tz: Any = None) -> "FixedDay":
        return cls(2024, 7, 6)


def rendered(source: str, messages: list[dict[str, str]], tokens: dict[str, str]) -> str | None:
    """The text, or nothing if the template refuses the messages."""
    try:
        texts, _ = chat_template_utils.render_jinja_template(
            [messages], chat_template=source, add_generation_prompt=True, **tokens
        )
    except Exception:
        return None
    return texts[0]


def render_all(chats: list[list[dict[str, str]]], tokens: dict[str, str]) -> list[dict[str, Any]]:
    """Every template of the families with what it makes of every chat."""
    chat_template_utils.datetime = FixedDay
    package = importlib.util.find_spec("trl")
    assert package and package.submodule_search_locations, "trl is not installed; `cargo xtask parity` does it"
    directory = Path(package.submodule_search_locations[0]) / "chat_templates"
    found = []
    for file in sorted(directory.glob("*.jinja")):
        if file.stem.startswith(FAMILIES) and not any(kind in file.stem for kind in NOT_TEXT):
            source = file.read_text(encoding="utf-8")
            texts = [rendered(source, messages, tokens) for messages in chats]
            found.append({"name": file.stem, "source": source, "texts": texts})
    return found
