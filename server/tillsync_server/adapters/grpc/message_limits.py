"""Size limits of the requests of each method, in bytes after decompression. They are checked before a request is parsed."""

from __future__ import annotations

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Limit of the server. A hundred orders of forty products each, with every text at its limit, stay below."""
MAX_RECEIVED_BYTES = 8 * 1024 * 1024
"""Limit of gRPC itself. It is higher, so that a request that is too large gets our own error."""
MAX_OPEN_REQUEST_BYTES = 4096
"""Limit of methods that need no token."""
_DEFAULT_BYTES = 256 * 1024
"""Default limit. Five hundred ids, with every text at its limit, stay below."""
_PACKAGE = "/tillsync.v1."
_BYTES = {
    _PACKAGE + "CustomerSyncService/BatchMatchOrderCustomers": MAX_REQUEST_BYTES,
    # one order with two hundred products
    _PACKAGE + "CustomerSyncService/MatchOrderCustomer": 1024 * 1024,
    _PACKAGE + "DiagnosisService/ExplainOrder": 1024 * 1024,
}


def max_bytes(path: str) -> int:
    """Returns the limit of a request. ``path``: the method's, ``/package.Service/Method``."""
    return _BYTES.get(path, _DEFAULT_BYTES)


_MANY_OBJECTS, _DEFAULT_OBJECTS = 12_000, 2_000


def max_objects(path: str) -> int:
    """Returns the limit of objects in a JSON body. A megabyte of empty objects takes seconds to parse."""
    return _MANY_OBJECTS if max_bytes(path) == MAX_REQUEST_BYTES else _DEFAULT_OBJECTS
