"""``SeenPages`` tells when a short page is the last one."""

from __future__ import annotations

from fakes.clock import FakeClock
from tillsync_server.adapters.epos.seen_pages import VALID_SECONDS, SeenPages


def test_page_shorter_than_another_one_is_the_last() -> None:
    seen = SeenPages()
    assert not seen.is_last(1)
    seen.note(1, 200)
    seen.note(2, 30)
    assert (seen.is_last(199), seen.is_last(200)) == (True, False)


def test_rows_after_a_short_page_revoke_the_last_page() -> None:
    for pages in ([(1, 199), (2, 200)], [(3, 200), (2, 7), (1, 200)], [(1, 200), (2, 50), (3, 50)]):
        seen = SeenPages()
        for number, rows in pages:
            seen.note(number, rows)
        assert not seen.is_last(1), pages


def test_empty_page_is_not_used_and_replaces_its_earlier_size() -> None:
    seen = SeenPages()
    seen.note(1, 0)
    assert not seen.is_last(0)
    seen.note(1, 200)
    seen.note(2, 20)
    seen.note(3, 5)
    assert not seen.is_last(1)
    seen.note(3, 0)
    assert seen.is_last(1)


def test_seen_pages_expire_after_an_hour() -> None:
    clock = FakeClock()
    seen = SeenPages(clock)
    seen.note(1, 200)
    clock.advance(VALID_SECONDS)
    assert not seen.is_last(1)
    seen.note(1, 2)
    assert (seen.is_last(1), seen.is_last(2)) == (True, False)
