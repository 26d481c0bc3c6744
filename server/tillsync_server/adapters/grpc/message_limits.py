"""How many bytes a request of each method may have, as the caller sends it (decompressed): looked at before it is parsed."""

from __future__ import annotations

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Of the server: a hundred orders of forty products each, every text at its limit, stay below."""
MAX_RECEIVED_BYTES = 8 * 1024 * 1024
"""What gRPC takes in at all, so that a request too large is refused in our words."""
MAX_OPEN_REQUEST_BYTES = 4096
"""Of methods that need no token."""
_USUAL_BYTES = 256 * 1024
"""Five hundred ids, every text at its limit."""
_PACKAGE = "/tillsync.v1."
_BYTES = {
    _PACKAGE + "CustomerSyncService/BatchMatchOrderCustomers": MAX_REQUEST_BYTES,
    # one order with two hundred products
    _PACKAGE + "CustomerSyncService/MatchOrderCustomer": 1024 * 1024,
    _PACKAGE + "DiagnosisService/ExplainOrder": 1024 * 1024,
}


def most_bytes(path: str) -> int:
    """``path``: ``/package.Service/Method``."""
    return _BYTES.get(path, _USUAL_BYTES)


_MANY_OBJECTS, _USUAL_OBJECTS = 12_000, 2_000


def most_objects(path: str) -> int:
    """Objects of a JSON body: a megabyte of empty ones takes seconds to read."""
    return _MANY_OBJECTS if most_bytes(path) == MAX_REQUEST_BYTES else _USUAL_OBJECTS
