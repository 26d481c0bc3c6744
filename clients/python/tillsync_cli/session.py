"""Runs one command against the service. It resolves address and token, and converts errors to exit codes.

Exit codes: 0 done · 1 the service refused, or the checked thing has a problem · 2 the command line is wrong · 3 the service was not
reached.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console

if TYPE_CHECKING:
    from tillsync_client import TillsyncClient, TillsyncError

Result = TypeVar("Result")

REFUSED, USAGE, NOT_REACHED = 1, 2, 3
_errors = Console(stderr=True, highlight=False, markup=False)

AddressOption = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="TILLSYNC_ADDRESS",
        help="The service: host:port. TLS unless it is loopback or begins with http://.",
        rich_help_panel="Connection",
    ),
]
TokenOption = Annotated[
    str,
    typer.Option(
        "--token",
        envvar="TILLSYNC_TOKEN",
        help="Bearer token, or @FILE to read it from a file.",
        show_default=False,
        rich_help_panel="Connection",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
DEFAULT_ADDRESS = "127.0.0.1:50051"


def print_error(message: str) -> None:
    """Prints ``message`` on stderr, which is never part of --json."""
    _errors.print(message, soft_wrap=True, style="red")


def show_progress(line: str) -> None:
    """Prints ``line`` of a long command on stderr, so that its stdout has only the result."""
    _errors.print(line, soft_wrap=True, style="dim")


def fail(message: str, *, code: int = REFUSED) -> typer.Exit:
    """Prints the message on stderr, and returns the exit to raise."""
    print_error(f"error: {message}")
    return typer.Exit(code)


def _as_it_is(text: str) -> str:
    return text


def talk(
    address: str, token: str, work: Callable[[TillsyncClient], Awaitable[Result]], *, as_typed: Callable[[str], str] = _as_it_is
) -> Result:
    """Runs ``work`` with a connected client. Every error becomes one line and an exit code.

    ``as_typed`` replaces the contract's names by options of this command line.
    """
    from tillsync_client import (  # Commands that run the service do not need it.
        DeadlineError,
        NotReachedError,
        TillsyncClient,
        TillsyncError,
        UnavailableError,
    )

    secret = secret_value(token, "--token") if token else ""
    if not secret:
        raise fail(
            "no token: give --token, or set TILLSYNC_TOKEN (the service writes its first admin token into its data directory)", code=USAGE
        )

    async def connected() -> Result:
        async with TillsyncClient(address, secret) as client:
            return await work(client)

    try:
        return asyncio.run(connected())
    except NotReachedError as error:
        raise fail(error.message, code=NOT_REACHED) from error
    except (UnavailableError, DeadlineError) as error:
        raise fail(f"{address} did not answer; does the service run there? {error.message}", code=NOT_REACHED) from error
    except TillsyncError as error:
        raise fail(as_typed(_explained(error))) from error
    except ValueError as error:  # The address or an argument is invalid.
        raise fail(str(error), code=USAGE) from error


def secret_value(given: str, option: str) -> str:
    """The secret of an option's value. ``@FILE``: the file's content. ``-``: prompted without echo, or a line of a pipe. Any other value is
    the secret (visible in process lists)."""
    if given == "-" and not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    if given == "-":
        return str(typer.prompt(option.lstrip("-").replace("-", " "), hide_input=True))
    if given.startswith("@"):
        try:
            return Path(given[1:]).expanduser().read_text(encoding="utf-8").strip()
        except OSError as error:
            raise fail(f"{option}: {given[1:]} cannot be read: {error.strerror}", code=USAGE) from error
    return given


def _explained(error: TillsyncError) -> str:
    reason = f" ({error.reason})" if error.reason else ""
    if error.violations:
        fields = "\n".join(f"  {violation.field}: {violation.description}" for violation in error.violations)
        return f"the request is not valid{reason}:\n{fields}"
    later = f"; try again in {error.retry_after_seconds:.0f} s" if error.retry_after_seconds else ""
    return f"{error.message}{reason}{later}"
