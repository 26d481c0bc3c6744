"""Describes the machine: processor, memory, PostgreSQL, versions. It has no host or user names."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import asyncpg
import psutil

PACKAGES = ("grpcio", "protobuf", "asyncpg", "uvloop", "aiohttp", "pgqueuer", "procrastinate", "psycopg")
SHOWN_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "max_connections")


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    run = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def memory_share() -> int:
    """Returns a quarter of the memory in MB, at most 4 GB, as PostgreSQL recommends for shared_buffers."""
    return int(min(psutil.virtual_memory().total // 4, 4 << 30) >> 20)


async def facts(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, str]:
    load = os.getloadavg()[0]
    settings = [f"{name}={await connection.fetchval('SELECT current_setting($1)', name)}" for name in SHOWN_SETTINGS]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "load before": f"{load:.1f}" + (" (not quiet: other work runs on this machine)" if load > 0.5 else ""),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": f"{await connection.fetchval('SHOW server_version')} (embedded, unix socket); {', '.join(settings)}",
        "packages": ", ".join(f"{package} {_version_of(package)}" for package in PACKAGES),
    }
