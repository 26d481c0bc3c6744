"""Kinds of emails for which a till's search may be wrong although it is right for plain emails."""

from __future__ import annotations

import pytest
from tillsync_server.domain.email_kinds import covers, email_kinds


@pytest.mark.parametrize(
    ("email", "kinds"),
    [
        ("ada@example.test", set()),
        ("Ada.B-2@sub-1.example.test", set()),
        ("ada+shop@example.test", {"+"}),
        ("o'neil+shop@example.test", {"'", "+"}),
        ("ada_b@example.test", {"_"}),
        ("größe@example.test", {"outside ascii"}),
        ("ada@bücher.test", {"outside ascii"}),
        ("ada@xn--bcher-kva.test", {"outside ascii"}),
        ("\u200bada@example.test ", set()),
        (f"{'a' * 17}@example.test", set()),
        (f"{'a' * 18}@example.test", {"31"}),
        (f"{'a' * 37}@example.test", {"50"}),
        (f"{'a' * 80}@example.test", {"50"}),
    ],
)
def test_email_kinds_are_found(email: str, kinds: set[str]) -> None:
    assert email_kinds(email) == kinds


def test_proof_for_a_long_email_covers_shorter_ones_but_no_other_sign() -> None:
    assert [covers({"45"}, kind) for kind in ("31", "45", "46", "+")] == [True, True, False, False]
    assert [covers({"+", "'"}, kind) for kind in ("+", "'", "_", "40")] == [True, True, False, False]
