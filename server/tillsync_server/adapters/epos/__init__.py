"""HTTP clients of the till: Epos Now's REST API, V2 and V4."""

from tillsync_server.adapters.epos.gateway import EposGateway
from tillsync_server.adapters.epos.settings import EposAdapterSettings

__all__ = ["EposAdapterSettings", "EposGateway"]
