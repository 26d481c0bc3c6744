"""Log records of libraries and uncaught exceptions are one line each: the fact and its place, without values and messages."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import aiohttp
import asyncpg
import grpc
import pytest
import tenacity
import uvloop
from aiohttp import web
from support.logs import CapturedLines, captured_lines
from tillsync_server.adapters.observability.library_records import KNOWN_BEGINNINGS

NAME, EMAIL, ADDRESS = "Ada Byron", "ada@example.test", "203.0.113.7"
LIBRARY = logging.getLogger("some.library")
TEMPLATE_OF_A_MODULE = "a constant says %s"


@pytest.fixture
def lines() -> Iterator[CapturedLines]:
    with captured_lines() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_leaks(lines: CapturedLines) -> Iterator[None]:
    yield
    assert lines.all(), "at least one line is logged"
    for value in ("Ada", "Byron", "example.test", "203.0.113", "%s", "%r", "{}"):
        assert value not in lines.text
    assert not [line for line in lines.all() if "dropped" in line]


def test_template_is_filled_with_safe_values(lines: CapturedLines) -> None:
    LIBRARY.warning("Error handling request from %s", ADDRESS)
    LIBRARY.warning("%s of %d rows in %.3f s (%5.1f%%), %r", NAME, 7, 1.23456, 99.5, KeyError(EMAIL))
    LIBRARY.warning("%(rows)03d rows of %(who)s", {"rows": 7, "who": NAME})
    LIBRARY.warning("%*d rows, %s, %s", 5, 7, True, ValueError)
    LIBRARY.warning("never filled: %s and {}")
    LIBRARY.warning("100% of it")
    LIBRARY.warning(TEMPLATE_OF_A_MODULE, NAME)
    assert [line["event"] for line in lines.all()] == [
        "Error handling request from …",
        "… of 7 rows in 1.235 s ( 99.5%), KeyError",
        "007 rows of …",
        "7 rows, True, ValueError",
        "never filled: … and …",
        "100% of it",
        "a constant says …",
    ]
    assert lines.all()[1]["exception"] == ["KeyError"]
    assert {line["where"].partition(":")[0] for line in lines.all()} == {"test_library_records.py"}
    assert lines.all()[0]["where"].endswith(" test_template_is_filled_with_safe_values")


def test_template_that_does_not_fit_its_values_is_logged(lines: CapturedLines) -> None:
    template = "%d of %d"
    for args in ((1,), (1, 2, 3), (NAME, 2), ({"n": NAME},)):
        lines.handler.handle(LIBRARY.makeRecord("some.library", logging.WARNING, __file__, 0, template, args, None, _here()))
    assert [line["event"] for line in lines.all()] == ["1 of …", "1 of 2", "… of 2", "… of …"]


def _here() -> str:
    return "test_template_that_does_not_fit_its_values_is_logged"


def test_preformatted_text_is_logged_as_its_place_only(lines: CapturedLines) -> None:
    who = NAME
    LIBRARY.warning(f"cannot serve {who}")
    LIBRARY.warning("cannot serve {}".format(who))  # noqa: UP032 - as libraries do
    LIBRARY.warning("cannot serve " + who + " %s", 7)
    LIBRARY.error(KeyError(who))
    LIBRARY.error({"who": who})
    assert [line["event"] for line in lines.all()] == ["…", "…", "…", "KeyError", "dict"]
    assert all(line["where"].startswith("test_library_records.py:") for line in lines.all())
    assert lines.all()[3]["exception"] == ["KeyError"]


def test_template_passed_through_a_library_function_is_logged(lines: CapturedLines) -> None:
    def log_it(text: str, *values: object) -> None:
        LIBRARY.error(text, *values)

    log_it("handed over: %s", NAME)
    assert lines.all()[0]["event"] == "handed over: …"


def test_exception_is_logged_by_type_and_place(lines: CapturedLines) -> None:
    try:
        raise KeyError(EMAIL)
    except KeyError:
        LIBRARY.exception("failed\n%s", NAME)
    [line] = lines.all()
    assert line["event"] == "failed"
    assert line["exception"][0] == "KeyError"
    assert line["exception"][1].startswith("test_library_records.py:")


def test_errors_of_a_group_are_logged(lines: CapturedLines) -> None:
    LIBRARY.error("both failed", exc_info=ExceptionGroup(NAME, [KeyError(NAME), ValueError(EMAIL)]))
    assert lines.all()[0]["exception"] == ["ExceptionGroup", "holding KeyError", "holding ValueError"]


def test_warnings_are_logged_by_category_and_place(lines: CapturedLines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)  # pytest's own recorder would catch the warning
        warnings.warn(f"unclosed connection of {NAME} <{EMAIL}>", ResourceWarning, stacklevel=1)
    [line] = lines.all()
    assert (line["event"], line["kind"], line["logger"]) == ("python_warning", "ResourceWarning", "py.warnings")
    assert line["where"].startswith("test_library_records.py:")


# the libraries themselves


async def test_aiohttp_request_error_is_logged_without_values(lines: CapturedLines) -> None:
    """This record was once logged as `Error handling request from %s`."""

    async def fails(request: web.Request) -> web.Response:
        raise KeyError(NAME)

    application = web.Application()
    application.router.add_get("/", fails)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
        assert response.status == 500
    await runner.cleanup()
    [line] = lines.all()
    assert line["event"] == "Error handling request from …"
    assert line["exception"][0] == "KeyError"
    assert "127.0.0.1" not in lines.text


async def test_tenacity_retry_is_logged_without_values(lines: CapturedLines) -> None:
    async def fails() -> None:
        raise KeyError(NAME)

    log = tenacity.before_sleep_log(LIBRARY, logging.WARNING, exc_info=True)
    with pytest.raises(KeyError):
        await tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(2), before_sleep=log, reraise=True)(fails)
    assert lines.all()[0]["event"] == "Retrying …"
    assert lines.all()[0]["where"].startswith("before_sleep.py:")


async def test_failing_grpc_method_is_logged_without_values(lines: CapturedLines) -> None:
    async def fails(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        raise KeyError(NAME)

    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(fails)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("some.Service", {"Fail": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await _fail(channel)
    await server.stop(None)
    assert [(line["event"], line["exception"][0]) for line in lines.all()] == [("Unexpected …", "KeyError")]


async def _fail(channel: grpc.aio.Channel) -> None:
    call: Any = channel.unary_unary("/some.Service/Fail")
    await call(b"")


def test_asyncpg_pool_close_warning_is_logged(lines: CapturedLines) -> None:
    pool: Any = asyncpg.pool.Pool
    pool._warn_on_long_close(None)
    assert lines.all()[0]["event"].startswith("Pool.close() is taking over 60 seconds to complete.")


# loops: asyncio's own and uvloop


def _run(factory: Callable[[], asyncio.AbstractEventLoop], work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work())


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    made: Callable[[], asyncio.AbstractEventLoop] = request.param
    return made


def test_unretrieved_task_exception_is_logged_without_message(
    factory: Callable[[], asyncio.AbstractEventLoop], lines: CapturedLines
) -> None:
    async def fails(who: str) -> None:
        raise ValueError(who)

    async def work() -> None:
        task = asyncio.create_task(fails(EMAIL), name=NAME)
        await asyncio.wait([task])
        del task
        gc.collect()

    _run(factory, work)
    [line] = lines.all()
    assert line["event"] == "Task exception was never retrieved"
    assert (line["exception"][0], line["logger"]) == ("ValueError", "asyncio")
    assert any(place.endswith(" fails") for place in line["exception"])


def test_failing_callback_is_logged_without_arguments(factory: Callable[[], asyncio.AbstractEventLoop], lines: CapturedLines) -> None:
    def fails(who: str) -> None:
        raise ValueError(who)

    async def work() -> None:
        asyncio.get_running_loop().call_soon(fails, NAME)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    _run(factory, work)
    [line] = lines.all()
    assert line["event"] == "Exception in callback …"
    assert line["exception"][0] == "ValueError"


@pytest.mark.parametrize("message", [each for each in KNOWN_BEGINNINGS if each[0].isupper()])
def test_known_message_of_a_loop_is_logged(factory: Callable[[], asyncio.AbstractEventLoop], lines: CapturedLines, message: str) -> None:
    async def work() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"{message}{' by'} {NAME}", "exception": ValueError(NAME), "future": EMAIL, "protocol": NAME}
        )

    _run(factory, work)
    assert lines.all()[0]["event"] == f"{message} …"


# uncaught exceptions


def test_uncaught_thread_exception_is_logged(lines: CapturedLines) -> None:
    def fails() -> None:
        raise ValueError(NAME)

    thread = threading.Thread(target=fails, name=NAME)
    thread.start()
    thread.join()
    [line] = lines.of("uncaught_exception_in_thread")
    assert line["exception"][0] == "ValueError"


def test_failing_finalizer_is_logged(lines: CapturedLines) -> None:
    class Fails:
        def __del__(self) -> None:
            raise ValueError(NAME)

    Fails()
    gc.collect()
    [line] = lines.of("unraisable_exception")
    assert line["exception"][0] == "ValueError"
    assert line["where"].endswith("Fails.__del__")


def test_uncaught_exception_is_logged_as_critical(lines: CapturedLines) -> None:
    try:
        raise ValueError(NAME)
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    [line] = lines.of("uncaught_exception")
    assert (line["level"], line["exception"][0]) == ("critical", "ValueError")


def test_dying_process_logs_one_line(lines: CapturedLines) -> None:
    lines.stream.write('{"event": "not of this process"}\n')
    source = (
        "from tillsync_server.adapters.observability.logs import configure_logging\n"
        "configure_logging()\n"
        "def main(who):\n"
        "    raise ValueError(f'no such customer: {who}')\n"
        f"main({NAME!r})\n"
    )
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert '"event": "uncaught_exception"' in ended.stderr
    assert "Ada" not in ended.stderr + ended.stdout


def test_failed_log_line_is_reported_without_its_values(lines: CapturedLines, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = lines.handler

    def fails(record: logging.LogRecord) -> str:
        raise UnicodeEncodeError("ascii", NAME, 0, 1, NAME)

    monkeypatch.setattr(handler, "format", fails)
    LIBRARY.warning("cannot serve %s", NAME)
    assert lines.all() == [{"event": "log_line_failed", "level": "error", "logger": "some.library"}]
