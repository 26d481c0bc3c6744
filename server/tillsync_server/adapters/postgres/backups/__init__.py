"""Backups of the embedded database: one file with a physical copy of the cluster (`base_backup`), in the form of `backup_file`."""

from tillsync_server.adapters.postgres.backups.backup_file import (
    BackupFileError,
    BackupWriter,
    Manifest,
    read_manifest,
    sync_directory,
    unpack,
)
from tillsync_server.adapters.postgres.backups.base_backup import BackupError, cluster_size, copy_cluster
from tillsync_server.adapters.postgres.backups.work import Work, in_thread

__all__ = [
    "BackupError",
    "BackupFileError",
    "BackupWriter",
    "Manifest",
    "Work",
    "cluster_size",
    "copy_cluster",
    "in_thread",
    "read_manifest",
    "sync_directory",
    "unpack",
]
