"""Requests of a bridge that is newer than the service: unknown fields are ignored, unknown values are refused."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message
from tillsync.v1 import account_pb2, customer_sync_service_pb2, queue_service_pb2
from tillsync_server.adapters.http.unknown_fields import split_unknown


@pytest.mark.parametrize(
    ("text", "message", "known", "unknown"),
    [
        ('{"accountId": "a", "tier": 1}', account_pb2.Account, {"accountId": "a"}, ["tier"]),
        ('{"account_id": "a", "shop": {"baseUrl": "b", "tier": {}}}', account_pb2.Account, None, ["shop.tier"]),
        (
            '{"orders": [{"order": {"orderId": "1", "verified": true}}, {"order": {"orderId": "2"}}]}',
            customer_sync_service_pb2.BatchMatchOrderCustomersRequest,
            {"orders": [{"order": {"orderId": "1"}}, {"order": {"orderId": "2"}}]},
            ["orders[0].order.verified"],
        ),
        ('{"createTime": "2026-01-01T00:00:00Z"}', account_pb2.Account, None, []),
        ('{"matchEmail": "MATCH_EMAIL_OF_2030"}', account_pb2.Account, {"matchEmail": "MATCH_EMAIL_OF_2030"}, []),
        ('{"shop": 5, "warnings": {}}', account_pb2.Account, {"shop": 5, "warnings": {}}, []),
        ("[]", account_pb2.Account, [], []),
    ],
)
def test_unknown_fields_are_named_and_removed_at_any_depth(text: str, message: type[Message], known: Any, unknown: list[str]) -> None:
    found, names = split_unknown(text, message)
    assert names == unknown
    if known is not None:
        assert found == known


@pytest.mark.parametrize("text", ['{"accountId": "a", "accountId": "b"}', '{"shop": {"x": 1, "x": 2}}', "{", ""])
def test_invalid_json_and_duplicate_fields_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        split_unknown(text, queue_service_pb2.RetryQueueEntriesRequest)
