"""Results of the bridge as a broken or hostile site may send them."""

from __future__ import annotations

from tillsync_server.adapters.woo.bridge_wire import write_result
from tillsync_server.ports.shop import WriteStatus


def test_the_name_of_a_refused_field_is_made_fit_for_a_note() -> None:
    """NUL and lone surrogates are legal in JSON and in no database."""
    result = write_result({"status": "invalid", "field": "pho\x00ne\ud800<b>" + "x" * 500})
    assert result.status is WriteStatus.INVALID
    assert result.field is not None
    assert result.field.startswith("phone")
    assert len(result.field) <= 60
    assert result.field.encode()
