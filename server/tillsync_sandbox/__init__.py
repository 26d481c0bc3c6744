"""Both other sides of tillsync, to run beside it: an Epos Now emulator (:class:`SandboxTill`) and a shop emulator (:class:`SandboxShop`).

Each is one aiohttp server with a request log, scripted faults (:mod:`tillsync_sandbox.faults`), switches for what is unknown or differs in
the real world, and a control API under ``/sandbox/``. Nothing here is shared with the service: what both got wrong would look right.
"""

from tillsync_sandbox.shop import SandboxShop, ShopSwitches
from tillsync_sandbox.till import SandboxTill, TillSwitches

__all__ = ["SandboxShop", "SandboxTill", "ShopSwitches", "TillSwitches"]
