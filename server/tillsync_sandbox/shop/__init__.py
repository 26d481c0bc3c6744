"""Emulator of a small WooCommerce shop with the tillsync bridge: ``wc/v3/customers``, ``wc-tillsync/v1``, and failure modes of a site.

The control API (JSON; ``requests`` and ``faults``: :mod:`tillsync_sandbox.control`)::

    GET    /sandbox/customers
    POST   /sandbox/customers                 {"email":"ada@example.test","first_name":"Ada","last_name":"Byron","role":"customer"}
    GET    /sandbox/customers/{user_id}       with "meta" and "bridge" (points, credit, type, version)
    PATCH  /sandbox/customers/{user_id}       {"email":"ada@new.example.test"}
    DELETE /sandbox/customers/{user_id}
    GET    /sandbox/bridge/rows               all rows of the bridge, including tombstones
    GET    /sandbox/bridge/customer-types
    GET    /sandbox/bridge/events
    GET    /sandbox/switches
    PATCH  /sandbox/switches                  {"trouble":"maintenance"}: fields of ShopSwitches
"""

from tillsync_sandbox.shop.sandbox import SandboxShop
from tillsync_sandbox.shop.switches import FailureMode, KeyOwner, KeyPermissions, Permalinks, ShopSwitches, StrayOutput

__all__ = ["SandboxShop", "ShopSwitches", "StrayOutput", "FailureMode", "Permalinks", "KeyOwner", "KeyPermissions"]
