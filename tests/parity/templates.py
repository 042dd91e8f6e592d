"""Published chat templates, rendered by transformers.

The templates are files of the package `trl`, which is installed without its dependencies and never imported.
"""

import importlib.util
from datetime import datetime
from pathlib import Path
from typing import Any

from transformers.utils import chat_template_utils

# Templates of Llama and Qwen, with TRL's variants that mark the tokens to train on.
FAMILIES = ("llama3", "qwen2_5", "qwen3")
NOT_TEXT = ("_vl",)


class FixedDay(datetime):
    """Replacement of `datetime` that gives templates a fixed day."""

    @classmethod
    def now(cls, tz: Any = None) -> "FixedDay":
        return cls(2024, 7, 6)


def rendered(source: str, messages: list[dict[str, str]], tokens: dict[str, str]) -> str | None:
    """The rendered text; None if the template raises an error."""
    try:
        texts, _ = chat_template_utils.render_jinja_template(
            [messages], chat_template=source, add_generation_prompt=True, **tokens
        )
    except Exception:
        return None
    return texts[0]


def render_all(chats: list[list[dict[str, str]]], tokens: dict[str, str]) -> list[dict[str, Any]]:
    """Every template of the families, with its rendering of every chat."""
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
