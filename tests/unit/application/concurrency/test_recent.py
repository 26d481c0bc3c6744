"""``Recent`` keeps a bounded number of values, and drops those used longest ago."""

from __future__ import annotations

from typing import cast

from fakes.budget import FakeTillBudget
from support.flow_world import till_account
from tillsync_server.adapters.epos import gateway as epos
from tillsync_server.adapters.http_client import HttpClient
from tillsync_server.application.concurrency.recent import Recent
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.request_class import RequestClass


def test_oldest_values_are_dropped() -> None:
    recent: Recent[str, int] = Recent(2)
    assert [recent.keep(key, number) for number, key in enumerate("aba")] == [0, 1, 2]
    assert recent.keep("c", 3) == 3
    assert recent == {"a": 2, "c": 3}


def test_gateway_keeps_seen_pages_of_a_bounded_number_of_tills() -> None:
    gateway = epos.EposGateway(cast(HttpClient, None), FakeTillBudget())  # no request is sent
    for number in range(epos.MAX_SEEN_PAGES + 10):
        gateway.client(till_account(till_id=TillId(f"till-{number}")), RequestClass.ORDER)
    gateway.client(till_account(till_id=TillId("till-10")), RequestClass.ORDER)
    assert len(gateway._seen_pages) == epos.MAX_SEEN_PAGES
    assert list(gateway._seen_pages)[-1][0] == "till-10", "the one used last is kept longest"
