"""Runs commands on this machine: their settings, their event loop, and their errors as one line and an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from tillsync_cli.installed_commands import server_needed
from tillsync_cli.session import REFUSED, USAGE, fail

if TYPE_CHECKING:
    from tillsync_server.composition.settings import ServiceSettings, SettingsError

Result = TypeVar("Result")
_OURS = ("tillsync", "tillsync_server", "tillsync_sandbox", "tillsync_client", "tillsync_cli")


async def wait_for_signal() -> None:
    """Waits for SIGINT or SIGTERM."""
    signalled, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, signalled.set)
    await signalled.wait()


def read_settings() -> ServiceSettings:
    """Returns the settings of the environment, and configures the logs by them. Raises typer.Exit for an invalid setting."""
    with server_packages():
        from tillsync_server.adapters.observability.logs import configure_logging
        from tillsync_server.composition.settings import SettingsError, load_settings
    try:
        settings = load_settings()
    except SettingsError as error:
        raise _not_valid(error) from error
    configure_logging(settings.log_level, settings.log_format)
    return settings


def run_here(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Runs ``work`` and returns its result, in uvloop if that is installed. A StartError or SettingsError becomes one line and an exit
    code."""
    with server_packages():
        from tillsync_server.composition.errors import StartError
        from tillsync_server.composition.settings import SettingsError
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner, server_packages():
            return runner.run(work())
    except SettingsError as error:
        raise _not_valid(error) from error
    except StartError as error:
        raise fail(str(error), code=REFUSED) from error


def _not_valid(error: SettingsError) -> typer.Exit:
    return fail("\n".join(["the settings are not valid:", *(f"  {problem}" for problem in error.problems)]), code=USAGE)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@contextlib.contextmanager
def server_packages() -> Iterator[None]:
    """Replaces the traceback of a missing package that the server needs by one line, which says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _OURS:
            raise
        raise server_needed(error.name or "") from error
