"""What the command line prints: times with their zone, and settings by their options."""

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


def test_a_time_says_its_zone_and_is_taken_as_it_is_printed(zone: str) -> None:
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


def test_a_time_that_is_not_set_and_one_that_is_none() -> None:
    assert when(Timestamp(), empty="never") == "never"
    for wrong in ("UTC", "noon UTC", "2026-07-01 12:00 UTC+2", "2026-07-01 CET"):
        with pytest.raises(ValueError, match="--since"):
            parse_time(wrong, "--since")


def test_one_is_not_many() -> None:
    assert [entries_counted(number) for number in (0, 1, 2)] == ["0 entries", "1 entry", "2 entries"]
    assert counted(1, "order runs", "orders run") == "1 order runs"


@pytest.mark.parametrize(
    ("said", "typed"),
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
def test_settings_are_named_as_they_are_typed(said: str, typed: str) -> None:
    assert _as_typed(said) == typed


def test_in_a_sentence_only_what_cannot_be_a_word_is_replaced() -> None:
    assert _dotted_as_typed("another till_id serves it; see epos.api_key") == "another till_id serves it; see --till-key"
