"""Stored order facts are readable by this version, the version before and the version after."""

from __future__ import annotations

from dataclasses import replace

from support.flow_world import order_facts
from tillsync_server.domain.order import OrderFacts, UnlinkedProduct


def test_stored_facts_are_read_back_unchanged() -> None:
    facts = replace(order_facts(), unlinked_products=(UnlinkedProduct(product_id=5, sku="A-1"),), is_of_reused_id=True)
    assert OrderFacts.from_json(facts.to_json()) == facts


def test_unknown_stored_fields_are_ignored() -> None:
    """During a rolling update older processes claim entries that newer processes stored."""
    assert OrderFacts.from_json({**order_facts().to_json(), "loyalty_card": "1234"}) == order_facts()
