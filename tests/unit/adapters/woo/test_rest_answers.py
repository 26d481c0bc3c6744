"""JSON data inside stray output is found, and a costly search is given up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from tillsync_server.adapters.http_client import Answer
from tillsync_server.adapters.woo.rest_answers import find_answer, read_data
from tillsync_server.domain.account_warnings import StrayKind, StrayOutput
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Unreadable


def answer(body: bytes) -> Answer:
    return Answer(side=Side.SHOP, status=200, headers=CIMultiDictProxy(CIMultiDict()), body=body, content_type="application/json")


def has_results(value: Any) -> bool:
    return isinstance(value, dict) and "results" in value


OURS = b'{"results":[{"user_id":12,"note":"{[\\""}]}'
MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("body", "stray"),
    [
        (OURS, None),
        (MARK + b"\n" + OURS + b"\r\n", None),
        (MARK + MARK + OURS, StrayOutput(StrayKind.MARKS_BEFORE)),
        (b"\n" + MARK + OURS, StrayOutput(StrayKind.MARKS_BEFORE)),
        (OURS + b"\n<!-- cached {} -->", StrayOutput(StrayKind.TEXT_BEHIND)),
        (OURS + b"0", StrayOutput(StrayKind.TEXT_BEHIND)),
        (b"Notice: [x] in /wp-content/plugins/loyal-friends/a.php" + OURS + b"0", StrayOutput(StrayKind.TEXT_BEFORE, "loyal-friends")),
        (b'{"other":{"results":1}}' + OURS, StrayOutput(StrayKind.TEXT_BEFORE)),
        (b"caf\xe9 {" + OURS, StrayOutput(StrayKind.TEXT_BEFORE)),
    ],
)
def test_expected_data_is_read_and_stray_output_is_reported(body: bytes, stray: StrayOutput | None) -> None:
    found = read_data(answer(body), has_results)
    assert found.value == {"results": [{"user_id": 12, "note": '{["'}]}
    assert found.stray == stray


@pytest.mark.parametrize(
    "body",
    [
        OURS[:-1] + b"0",  # truncated, with an end that looks complete
        b"x" + OURS[:-1],
        OURS + OURS,  # ambiguous
        OURS + b"<br>" + b'{"results":[]}',
        b"x" + OURS.replace(b"12", b"NaN"),
        b"x" + OURS.replace(b"note", b"n\xf6te"),
        b'Notice: "results" {}',
        b"<!DOCTYPE html><html><body>Welcome</body></html>",
    ],
)
@pytest.mark.catches("stray-json-is-no-answer")
def test_truncated_foreign_or_duplicate_data_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_data(answer(body), has_results)


def test_data_behind_a_notice_with_brackets_is_found() -> None:
    notice = b'<br /><b>Warning</b>: array keys [a], ["b"] and {c} in <b>[...]/x.php</b> on line 7 '
    found = find_answer(answer(notice * 20 + b'{"results": [{"user_id": 12}]}'), has_results)
    assert found is not None
    assert found.value == {"results": [{"user_id": 12}]}
    assert found.stray == StrayOutput(StrayKind.TEXT_BEFORE)


def test_costly_search_from_every_bracket_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing eight megabytes from each of 200 brackets would block the event loop for more than twenty seconds."""
    starts: list[int] = []
    read = json.JSONDecoder.raw_decode

    def counted(self: json.JSONDecoder, s: str, idx: int = 0) -> tuple[Any, int]:
        starts.append(idx)
        return read(self, s, idx)

    monkeypatch.setattr(json.JSONDecoder, "raw_decode", counted)
    assert find_answer(answer(b"x" + b"[" * 199 + b"0," * 600_000), has_results) is None
    assert len(starts) == 2
