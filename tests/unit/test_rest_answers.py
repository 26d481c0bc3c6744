"""Data behind stray output: found where it is, and not searched for without end where somebody makes it costly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from tillsync_server.adapters.outbound import Answer
from tillsync_server.adapters.woo.rest_answers import json_after_stray_output
from tillsync_server.domain.vocabulary import Side


def answer(body: bytes) -> Answer:
    return Answer(side=Side.SHOP, status=200, headers=CIMultiDictProxy(CIMultiDict()), body=body, content_type="application/json")


def test_data_behind_a_notice_with_brackets_is_found() -> None:
    notice = b'<br /><b>Warning</b>: array keys [a], ["b"] and {c} in <b>[...]/x.php</b> on line 7 '
    found = json_after_stray_output(answer(notice * 20 + b'{"results": [{"user_id": 12}]}'))
    assert found is not None
    assert found[0] == {"results": [{"user_id": 12}]}


def test_what_reads_well_from_every_bracket_nearly_to_the_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read from each of its 200 brackets, eight megabytes cost the event loop more than twenty seconds."""
    starts: list[int] = []
    read = json.JSONDecoder.raw_decode

    def counted(self: json.JSONDecoder, s: str, idx: int = 0) -> tuple[Any, int]:
        starts.append(idx)
        return read(self, s, idx)

    monkeypatch.setattr(json.JSONDecoder, "raw_decode", counted)
    assert json_after_stray_output(answer(b"x" + b"[" * 199 + b"0," * 600_000)) is None
    assert len(starts) == 2
