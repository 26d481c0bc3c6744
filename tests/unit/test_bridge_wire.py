"""Results of the bridge as a broken or hostile site may send them."""

from __future__ import annotations

from tillsync_server.adapters.woo.bridge_wire import shop_status, write_result
from tillsync_server.ports.shop import WriteStatus


def test_the_name_of_a_refused_field_is_made_fit_for_a_note() -> None:
    """NUL and lone surrogates are legal in JSON and in no database."""
    result = write_result({"status": "invalid", "field": "pho\x00ne\ud800<b>" + "x" * 500})
    assert result.status is WriteStatus.INVALID
    assert result.field is not None
    assert result.field.startswith("phone")
    assert len(result.field) <= 60
    assert result.field.encode()


def test_what_a_site_says_of_itself_is_made_fit_for_a_person() -> None:
    """It is shown in CheckAccount's texts, of which a lone surrogate could not even be sent."""
    status = shop_status(
        {
            "api": 1,
            "max_batch": 500,
            "bridge_version": "0.1\ud800",
            "home_url": "https://ann:secret-word@shop.example.test\x1b[2J",
            "wordpress": "<b>6.8</b>",
            "woocommerce": "9" * 900,
        }
    )
    assert (status.bridge_version, status.home_url, status.wordpress) == ("0.1", "https://[redacted]@shop.example.test[2J", "6.8")
    assert len(status.woocommerce) == 200
