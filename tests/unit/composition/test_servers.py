"""Parts of the server wiring."""

from __future__ import annotations

from tillsync_server.adapters.http_client import AllowedHosts
from tillsync_server.composition.servers import named_by_operator


def test_plain_http_is_allowed_only_for_configured_hosts() -> None:
    named = named_by_operator(AllowedHosts.parse("till.internal, other.internal:8443, 10.1.0.0/16, fd12::/16"))
    assert named("till.internal", 80)
    assert named("TILL.internal.", 80)
    assert named("other.internal", 8443)
    assert not named("other.internal", 80)
    assert named("10.1.2.3", 80)
    assert named("fd12::1", 80)
    assert not named("10.2.0.1", 80)
    assert not named("api.example.test", 80)
