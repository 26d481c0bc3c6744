"""Emulators of the till and the shop: :class:`SandboxTill` emulates Epos Now, :class:`SandboxShop` a WooCommerce shop with the bridge.

Each emulator is one aiohttp server with a request log, scripted faults (:mod:`tillsync_sandbox.faults`), and a control API under
``/sandbox/``. Its switches set behaviour that is unknown or differs between real systems. The sandbox shares no code with the service,
because tests would not notice an error in shared code.
"""

from tillsync_sandbox.shop import SandboxShop, ShopSwitches
from tillsync_sandbox.till import SandboxTill, TillSwitches

__all__ = ["SandboxShop", "SandboxTill", "ShopSwitches", "TillSwitches"]
