"""`domain.shop_values` predicts how WordPress stores a name. The prediction equals the result of `sanitize_text_field`."""

from __future__ import annotations

import random

import pytest
from tillsync_server.domain.shop_values import as_wordpress_stores, plain
from wordpress.harness.shop import Shop

NAMES = (
    "Ada",
    "  Ada \t Augusta\n",
    "Ada <b>",
    "Ada <b>King</b>",
    "Ada <!-- x --> King",
    "100%ab",
    "%%abab",
    "a%2%62b",
    "O'Brien & Søn",
    "Zoë \U0001f98a",
    "علی\u200cرضا",
    "A > B",
    '"Ada"',
    "back\\slash",
)
PIECES = ("Ada", "é", " ", "  ", "\n", "<b>", "</b>", "<br/>", "%41", "%", "4", "f", ">", "&amp;", "'", "ß", "\U0001f98a", "<i class='x'>")


@pytest.mark.shops("mariadb")
async def test_names_are_stored_as_predicted(wp_site: Shop) -> None:
    chosen = random.Random(8)
    made = ["".join(chosen.choice(PIECES) for _ in range(chosen.randint(1, 9))) for _ in range(400)]
    predicted = {text: as_wordpress_stores(plain(text)) for text in (*NAMES, *made)}
    texts = [text for text, stored in predicted.items() if stored is not None]
    assert len(texts) > 300
    stored = await wp_site.php("return array_map( 'sanitize_text_field', $texts );", texts=texts)
    assert stored == [predicted[text] for text in texts]
