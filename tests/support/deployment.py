"""`tillsync serve` and `tillsync worker` on one database, as they are deployed, under a load of acknowledged requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from support.acknowledged_load import Load
from support.service import Child, child, environment, run_command


@asynccontextmanager
async def deployment(dsn: str, directory: Path, load: Load, **changes: str) -> AsyncIterator[list[Child]]:
    """Migrates the database and runs both processes with the settings ``changes``. Neither may log an error."""
    variables = environment(dsn, TILLSYNC_ALLOWED_HOSTS="127.0.0.1", **changes)
    migrated = await asyncio.to_thread(run_command, ["migrate"], variables)
    assert migrated.returncode == 0, migrated
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(child([command], variables, directory)) for command in ("serve", "worker")]
        for process in processes:
            await process.started()
        load.address = f"127.0.0.1:{processes[0].grpc_port}"
        yield processes
        for process in processes:
            assert await process.stop() == 0, process.errors[-6000:]
            errors = [line for line in process.errors.splitlines() if '"level": "error"' in line]
            assert not errors, errors[:3]
