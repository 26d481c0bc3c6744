"""Output of the command line: times with their zone, and settings by their option names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tillsync_cli.account_commands import _as_typed, _dotted_as_typed
from tillsync_cli.output import counted, entries_counted, parse_time, when

NOON = datetime(2026, 7, 1, 12, 0, 30, tzinfo=UTC)


@pytest.fixture(params=["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def test_printed_time_has_its_zone_and_is_parsed_back(zone: str) -> None:
    printed = when(Timestamp(seconds=int(NOON.timestamp())))
    assert (
        printed
        == {
            "UTC": "2026-07-01 12:00:30 UTC",
            "Europe/Berlin": "2026-07-01 14:00:30 UTC+02:00",
            "Asia/Kolkata": "2026-07-01 17:30:30 UTC+05:30",
            "America/St_Johns": "2026-07-01 09:30:30 UTC-02:30",
        }[zone]
    )
    assert parse_time(printed, "--since") == NOON
    local = parse_time(printed.partition(" UTC")[0], "--since")
    assert local == NOON, "without a zone it is local"


def test_unset_time_is_printed_as_empty_and_invalid_time_is_refused() -> None:
    assert when(Timestamp(), empty="never") == "never"
    for wrong in ("UTC", "noon UTC", "2026-07-01 12:00 UTC+2", "2026-07-01 CET"):
        with pytest.raises(ValueError, match="--since"):
            parse_time(wrong, "--since")


def test_counts_use_singular_and_plural() -> None:
    assert [entries_counted(number) for number in (0, 1, 2)] == ["0 entries", "1 entry", "2 entries"]
    assert counted(1, "order runs", "orders run") == "1 order runs"


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("account.epos.base_url: must be https", "--till-url: must be https"),
        ("account.name: at most 100 characters", "--name: at most 100 characters"),
        ("give both shared_till and one till_id", "give both --shared-till and one --till-id"),
        ("account.shop.consumer_key: shop.base_url gets another origin", "--shop-key: --shop-url gets another origin"),
        ("epos.customer_type_api_version and epos.customer_api_version", "--type-api and --customer-api"),
        ("Set them with UpdateAccount", "Set them with `tillsync account set`"),
        ("a name, my_till_id and shop.base_urls are left alone", "a name, my_till_id and shop.base_urls are left alone"),
    ],
)
def test_fields_are_printed_as_command_options(field: str, typed: str) -> None:
    assert _as_typed(field) == typed


def test_only_dotted_fields_are_replaced_in_sentences() -> None:
    assert _dotted_as_typed("another till_id serves it; see epos.api_key") == "another till_id serves it; see --till-key"
