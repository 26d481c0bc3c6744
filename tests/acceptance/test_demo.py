"""`tillsync demo` shows every row of the specification page. The tests run it as a process, as a user does."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

import pytest
from acceptance.specification_page import CUSTOMERS_QUEUE, ORDER_SYNC
from support.service import PROGRAM, command_environment
from support.waiting import until, within

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


async def run(*arguments: str, **variables: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        *arguments,
        env=command_environment(**variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await within(process.communicate())
    assert process.returncode is not None
    return process.returncode, output.decode()


def data_directories() -> set[Path]:
    return set(Path("/var/tmp").glob("tillsync-demo-*"))


async def until_nothing_is_left_since(before: set[Path]) -> None:
    """Waits until each directory made since then is removed. The demo of another test removes its own directory when it ends."""
    made = data_directories() - before
    await until(lambda: not made & data_directories(), lambda: made & data_directories())


async def test_demo_runs_once_and_prints_whole_queues_at_80_columns() -> None:
    """Comments wrap and are never cut, also on a narrow screen. The demo leaves no files."""
    before = data_directories()
    code, output = await run("demo", "--once", COLUMNS="80")
    assert code == 0, output
    assert "✗" not in output
    assert "Every step had its expected result" in output
    await until_nothing_is_left_since(before)
    tables = output.partition("Customers Queue")[2]
    assert all(len(line) <= 80 for line in tables.splitlines() if line.startswith(("│", "┃", "┏", "└")))
    assert "…" not in tables
    assert re.search(r"│[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} │", tables), "an entry's id is on one line, so that it can be copied"
    column = " ".join(" ".join(line.split("│")[3].split()) for line in tables.splitlines() if line.startswith("│"))
    recovered = "Customer Endpoint Point call api failed"  # No entry ends with this comment, because the till answers again.
    for comment in (*CUSTOMERS_QUEUE, *ORDER_SYNC[1:]):
        assert (comment in column) == (comment != recovered), comment


async def test_demo_shows_every_comment_of_the_page_and_its_printed_commands_work() -> None:
    """Runs each printed line in a shell. Ctrl-C ends the demo, and it leaves no files."""
    before = data_directories()
    demo = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        *("demo", "--grpc-port", "0", "--http-port", "0"),
        env=command_environment(PYTHONUNBUFFERED="1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert demo.stdout is not None
        printed = (await within(demo.stdout.readuntil(b"Ctrl-C"))).decode()
        assert "✗" not in printed
        story = printed.partition("Customers Queue")[0]
        for comment in CUSTOMERS_QUEUE + ORDER_SYNC:
            assert f"“{comment}”" in story, comment
        assert "“The table of customer types is locked, said the shop”" in story, "the comment is the shop's own answer"
        await assert_every_line_works(printed)
        demo.send_signal(signal.SIGINT)
        assert await within(demo.wait()) == 0
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()
    await until_nothing_is_left_since(before)


async def assert_every_line_works(printed: str) -> None:
    lines = [line for line in printed.partition("Paste into")[2].splitlines()[1:] if line and "Ctrl-C" not in line]
    variables, *commands = [line.replace(".venv/bin/", f"{PROGRAM.parent}/") for line in lines]
    assert len(commands) == 8
    for command in commands:
        code, output = await paste(variables, command)
        assert code == 0, output
        assert '"error"' not in output, output

    async def has_new_points() -> bool:
        return '"points": "999"' in (await paste(variables, commands[-1]))[1]

    await until(has_new_points, lambda: paste(variables, commands[-1]))


async def paste(variables: str, line: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_shell(
        f"{variables}\n{line}",
        env=command_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await within(process.communicate())
    assert process.returncode is not None
    return process.returncode, output.decode()
