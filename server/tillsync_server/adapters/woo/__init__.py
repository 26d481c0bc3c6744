"""The shop over HTTP: through the bridge (``wc-tillsync/v1``) or, without it, through WooCommerce's own ``wc/v3``."""

from tillsync_server.adapters.woo.gateway import WooGateway
from tillsync_server.adapters.woo.settings import WooAdapterSettings

__all__ = ["WooGateway", "WooAdapterSettings"]
