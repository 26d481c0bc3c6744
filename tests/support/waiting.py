"""Waits of tests. Each waits for an event, ends at a limit that only a hang reaches, and then reports its last observation."""

from __future__ import annotations

import asyncio
import inspect
import linecache
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from google.protobuf.message import Message

T = TypeVar("T")
Seen: TypeAlias = "str | float | Enum | Collection[object] | Message | DataclassInstance | None"
"""Types that an answer or a message shows. A method that is named but not called is none of them."""
SeenT = TypeVar("SeenT", bound=Seen)
Report: TypeAlias = "Callable[[], Seen | Awaitable[Seen]]"
"""Reports the current state, for the message of a failure."""

HANG_SECONDS = float(os.environ.get("TILLSYNC_TEST_HANG_SECONDS", "60"))
"""The limit of every wait. On an idle machine each wait ends within a few seconds; the limit leaves room for a busy one."""
NEVER_SECONDS = 10 * HANG_SECONDS
"""A delay longer than any test. An event scheduled after it does not happen."""
GIVE_UP_SECONDS = 2.0
"""The timeout in tests of our own timeouts, which wait for it. On a busy machine too, the other side has been reached by then."""
_REPORT_SECONDS = 10.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.002, 0.05
_MAX_REPORT = 6000


@overload
async def until(holds: Callable[[], Awaitable[SeenT]], otherwise: Report | None = None, seconds: float = HANG_SECONDS) -> SeenT: ...
@overload
async def until(holds: Callable[[], SeenT], otherwise: Report | None = None, seconds: float = HANG_SECONDS) -> SeenT: ...
async def until(holds: Callable[[], Any], otherwise: Report | None = None, seconds: float = HANG_SECONDS) -> Any:
    """Asks ``holds``, at growing intervals up to 50 ms, until its answer is true, and returns that answer.

    Raises AssertionError after ``seconds``, with the question, its last answer and what ``otherwise`` says.
    """
    answer: Any = "(no answer yet)"
    pause = _FIRST_PAUSE_SECONDS
    try:
        async with asyncio.timeout(seconds) as limit:
            while not (answer := await _answer_of(holds)):
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
            return answer
    except TimeoutError:
        if not limit.expired():
            raise  # raised by the question itself
    raise AssertionError(await _message(f"{source_of(holds)} does not come true", seconds, f"its last answer: {_short(answer)}", otherwise))


async def within(awaitable: Awaitable[T], otherwise: Report | None = None, seconds: float = HANG_SECONDS) -> T:
    """Returns the result of ``awaitable``. After ``seconds`` it cancels the awaitable and raises AssertionError."""
    async with hang_limit(source_of(awaitable), otherwise, seconds):
        return await awaitable
    raise AssertionError("unreachable")


@asynccontextmanager
async def hang_limit(what: str, otherwise: Report | None = None, seconds: float = HANG_SECONDS) -> AsyncIterator[None]:
    """The body must end within ``seconds``. Otherwise AssertionError names ``what``."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
            return
    except TimeoutError:
        if not limit.expired():
            raise
    raise AssertionError(await _message(f"{what} does not end", seconds, "", otherwise))


async def _answer_of(holds: Callable[[], Any]) -> Any:
    answer = holds()
    return await answer if inspect.isawaitable(answer) else answer


async def _message(what: str, seconds: float, seen: str, otherwise: Report | None) -> str:
    parts = [f"{what} within {seconds:g} s", seen]
    if otherwise is not None:
        try:
            async with asyncio.timeout(_REPORT_SECONDS):
                parts.append(_short(await _answer_of(otherwise)))
        except Exception as error:  # the failure is still reported
            parts.append(f"(how things stand cannot be had: {error!r})")
    return "\n".join(part for part in parts if part)


def _short(value: Seen) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _MAX_REPORT else f"…{text[-_MAX_REPORT:]}"


def source_of(target: object) -> str:
    """The source of a lambda or the name of another callable, with its place."""
    code = getattr(target, "__code__", None) or getattr(target, "cr_code", None)
    if code is None:
        return f"`{getattr(target, '__qualname__', None) or repr(target)}`"
    name = getattr(target, "__qualname__", code.co_name).replace("<locals>.", "")
    if code.co_name == "<lambda>":
        places = [place for place in code.co_positions() if None not in place and place[2] != place[3]]
        lines = [linecache.getline(code.co_filename, number) for number in range(code.co_firstlineno, max(p[1] for p in places) + 1)]
        if len(lines) == 1:
            name = lines[0].encode()[min(p[2] for p in places) : max(p[3] for p in places)].decode()
        else:
            name = " ".join(line.strip() for line in lines)
    return f"`{name}` ({code.co_filename.rpartition('/')[2]}:{code.co_firstlineno})"
