"""docs/shop.md and docs/support.md name buttons, settings and screens with the plugin's labels."""

from __future__ import annotations

import re

import pytest
from support.directories import REPOSITORY

PLUGIN = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("src", "templates", "assets", "blocks")
    for path in sorted((REPOSITORY / "wp-bridge" / folder).rglob("*.*"))
    if path.suffix in (".php", ".js", ".json")
)
OTHERS = {"Users", "My Account", "Completed", "Processing"}
"""Words of WordPress and WooCommerce."""
_ITALIC = re.compile(r"(?<!\*)\*([^*\n|]+(?:\n[^*\n|]+)?)\*(?!\*)")


def labels(page: str) -> set[str]:
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    italics = {" ".join(found.split()).removesuffix(" …") for found in _ITALIC.findall(re.sub(r"`[^`]*`", "", text))}
    settings = re.search(r"^\| Setting \|.*?\n\n", text, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| ([^|]+) \|", settings[0], re.MULTILINE)[1:] if settings else []
    return (italics | set(rows)) - OTHERS


@pytest.mark.parametrize("page", ["shop.md", "support.md"])
def test_labels_exist_in_the_plugin(page: str) -> None:
    named = labels(page)
    assert named
    assert {label for label in named if label not in PLUGIN} == set()
