"""What a search may be wrong for, although it is right for plain emails."""

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
def test_the_kinds_of_an_email(email: str, kinds: set[str]) -> None:
    assert email_kinds(email) == kinds


def test_a_longer_email_proves_shorter_ones_and_no_sign_another() -> None:
    assert [covers({"45"}, kind) for kind in ("31", "45", "46", "+")] == [True, True, False, False]
    assert [covers({"+", "'"}, kind) for kind in ("+", "'", "_", "40")] == [True, True, False, False]
