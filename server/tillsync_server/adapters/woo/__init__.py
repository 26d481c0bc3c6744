"""HTTP clients of the shop. They use the bridge's routes (``wc-tillsync/v1``) or, without a bridge, WooCommerce's own ``wc/v3``."""

from tillsync_server.adapters.woo.gateway import WooGateway
from tillsync_server.adapters.woo.settings import WooAdapterSettings

__all__ = ["WooGateway", "WooAdapterSettings"]
