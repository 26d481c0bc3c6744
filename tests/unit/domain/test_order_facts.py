"""Order facts as they are stored: read back by this version, the one before, and the one after."""

from __future__ import annotations

from dataclasses import replace

from support.flow_world import order_facts
from tillsync_server.domain.order import OrderFacts, UnlinkedProduct


def test_facts_are_read_back_as_they_were_stored() -> None:
    facts = replace(order_facts(), unlinked_products=(UnlinkedProduct(product_id=5, sku="A-1"),), is_of_reused_id=True)
    assert OrderFacts.from_json(facts.to_json()) == facts


def test_what_another_version_stored_besides_is_left_aside() -> None:
    """While processes are replaced one by one, the older ones claim entries that newer ones took in."""
    assert OrderFacts.from_json({**order_facts().to_json(), "loyalty_card": "1234"}) == order_facts()
