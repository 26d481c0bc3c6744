"""The command ``tillsync demo``, which runs the whole system on this machine and shows it by a story."""

from __future__ import annotations

from typing import Annotated

import typer
from tillsync_cli.output import console
from tillsync_cli.session import REFUSED

from tillsync_server.cli.running import run_here, wait_for_signal


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the story. The exit code is 0 only if every step had its expected result.")
    ] = False,
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of gRPC on loopback; 0 selects a free port.")] = 50051,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of HTTP on loopback; 0 selects a free port.")] = 8080,
) -> None:
    """Run the whole system with a sandbox till and shop, tell a story in which each comment arises, then leave it running.

    It uses an embedded PostgreSQL in a temporary directory, which is deleted at the end. With --once it selects free ports.
    """

    async def work() -> bool:
        from tillsync_server.cli.demo.run import run_demo

        grpc, http = (0, 0) if once else (grpc_port, http_port)
        return await run_demo(console, once=once, grpc_port=grpc, http_port=http, until_stopped=wait_for_signal)

    if not run_here(work):
        raise typer.Exit(REFUSED)
