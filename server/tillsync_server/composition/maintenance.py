"""What an operator runs once: bringing the schema up to date, and stored credentials under the newest key."""

from __future__ import annotations

from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.postgres.accounts import PostgresAccounts
from tillsync_server.adapters.postgres.secrets import SecretKeyError
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.settings import ServiceSettings
from tillsync_server.composition.storage import Storage


async def reencrypt_credentials(settings: ServiceSettings) -> int:
    """`tillsync reencrypt`: how many accounts were rewritten. May run beside the service, unless the database is the embedded one
    (which belongs to one process). StartError."""
    storage = Storage(settings, Metrics("maintenance"))
    try:
        await storage.start()
        return await PostgresAccounts(storage.database, storage.secret_box, storage.notifications).reencrypt()
    except SecretKeyError as error:
        raise StartError(str(error)) from error
    finally:
        await storage.close_database()
        await storage.stop_embedded()
