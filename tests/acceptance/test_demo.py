"""The demo tells the whole specification page, as its user would see it: `tillsync demo --once`, a process of its own."""

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


async def nothing_is_left_since(before: set[Path]) -> None:
    """Each directory made since then goes. Another test's demo removes its own when it ends."""
    made = data_directories() - before
    await until(lambda: not made & data_directories(), lambda: made & data_directories())


async def test_the_story_is_told_once_and_the_queues_are_whole_at_80_columns() -> None:
    """Comments wrap and are never cut, also on a narrow screen. Nothing is left on the disk."""
    before = data_directories()
    code, output = await run("demo", "--once", COLUMNS="80")
    assert code == 0, output
    assert "✗" not in output
    assert "Everything came out as told" in output
    await nothing_is_left_since(before)
    tables = output.partition("Customers Queue")[2]
    assert all(len(line) <= 80 for line in tables.splitlines() if line.startswith(("│", "┃", "┏", "└")))
    assert "…" not in tables
    assert re.search(r"│[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} │", tables), "an entry's id is in one piece, to copy"
    column = " ".join(" ".join(line.split("│")[3].split()) for line in tables.splitlines() if line.startswith("│"))
    recovered = "Customer Endpoint Point call api failed"  # the till answered again: no entry ends with it
    for comment in (*CUSTOMERS_QUEUE, *ORDER_SYNC[1:]):
        assert (comment in column) == (comment != recovered), comment


async def test_every_row_of_the_page_arises_in_the_story_and_the_lines_to_paste_work() -> None:
    """Each line as it is printed, in a shell, and Ctrl-C ends it and leaves nothing."""
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
        told = printed.partition("Customers Queue")[0]
        for comment in CUSTOMERS_QUEUE + ORDER_SYNC:
            assert f"“{comment}”" in told, comment
        assert "“The table of customer types is locked, said the shop”" in told, "the shop's own answer is the comment"
        await every_line_works(printed)
        demo.send_signal(signal.SIGINT)
        assert await within(demo.wait()) == 0
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()
    await nothing_is_left_since(before)


async def every_line_works(printed: str) -> None:
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
