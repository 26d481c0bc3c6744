"""The commands of a Markdown document, and a shell that runs them in order.

A fenced block ``sh`` has one command per line. A block ``text`` or ``json`` right after it shows the output of the commands.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.directories import REPOSITORY
from support.waiting import HANG_SECONDS, within

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "=== command "
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( UTC([+-]\d\d:\d\d)?|Z)?")


@dataclass(frozen=True)
class Block:
    """A fenced block. ``heading`` is the nearest heading of level two or three above it."""

    document: str
    heading: str
    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """``text`` has no trailing comment. ``shown`` is the output of the block in the document, if it has one."""

    document: str
    heading: str
    line: int
    text: str
    shown: Block | None

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.text}"


@dataclass(frozen=True)
class CommandResult:
    command: Command
    code: int
    output: str


def blocks_of(document: str) -> list[Block]:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        before = text[: fence.start()]
        headings = re.findall(r"^###? (.*)$", re.sub(_FENCE, "", before), re.MULTILINE)
        found.append(Block(document, headings[-1] if headings else "", before.count("\n") + 1, fence[1], fence[2]))
    return found


def commands_of(document: str) -> list[Command]:
    return list(_commands(document, blocks_of(document)))


def _commands(document: str, blocks: Sequence[Block]) -> Iterator[Command]:
    for index, block in enumerate(blocks):
        if block.language != "sh":
            continue
        after = blocks[index + 1] if index + 1 < len(blocks) else None
        adjacent = after is not None and after.language in ("text", "json") and after.line - block.line - block.text.count("\n") <= 8
        lines = [(block.line + 1 + number, line) for number, line in enumerate(block.text.splitlines())]
        kept = [(number, re.sub(r"(^|\s+)# .*$", "", line).strip()) for number, line in lines]
        kept = [(number, line) for number, line in kept if line]
        for number, line in kept:
            shown = after if adjacent and number == kept[-1][0] else None
            yield Command(document, block.heading, number, line, shown)


def script_of(commands: Sequence[Command], *, texts: Mapping[str, str], before: Mapping[str, str], each: Mapping[str, str]) -> str:
    """A shell script that runs ``commands`` in one session. The output has the number and the exit code of each command."""
    waiting, lines = dict(before), []
    for number, command in enumerate(commands):
        lines += [waiting.pop(key) for key in list(waiting) if key in command.text]
        lines += [code for key, code in each.items() if key in command.text]
        line = command.text
        for documented, here in texts.items():
            line = line.replace(documented, here)
        lines += [f"echo '{_MARK}{number}'", line, f'echo "{_MARK}{number} ended $?"']
    return "\n".join(lines) + "\n"


async def run_commands(
    commands: Sequence[Command],
    *,
    directory: Path,
    variables: Mapping[str, str],
    texts: Mapping[str, str] | None = None,
    prelude: str = "",
    before: Mapping[str, str] | None = None,
    each: Mapping[str, str] | None = None,
) -> list[CommandResult]:
    """Runs the commands in one bash, with ``directory`` as its working directory.

    ``texts`` replaces texts of the document (ports, folders). ``prelude`` is shell code for the beginning. ``before`` is shell code that
    runs before the first command that contains its key, and ``each`` runs before every command.
    """
    script = f"exec 2>&1\n{prelude}\n{script_of(commands, texts=texts or {}, before=before or {}, each=each or {})}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script), cwd=directory, env=dict(variables), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        printed, _ = await within(process.communicate(), seconds=3 * HANG_SECONDS)
    finally:
        if process.returncode is None:
            process.terminate()  # the trap of the shell ends its child processes
    output = printed.decode()
    ran = []
    for number, command in enumerate(commands):
        found = re.search(rf"^{_MARK}{number}\n(.*?){_MARK}{number} ended (\d+)$", output, re.MULTILINE | re.DOTALL)
        assert found, f"{command} did not end:\n{output}"
        ran.append(CommandResult(command, int(found[2]), found[1]))
    return ran


def check(ran: Sequence[CommandResult], codes: Mapping[str, int] | None = None) -> None:
    """Asserts that each command ended with 0, or with the code in ``codes`` for a text in it, and printed the documented output."""
    for each in ran:
        wanted = next((code for text, code in (codes or {}).items() if text in each.command.text), 0)
        assert each.code == wanted, f"{each.command} ended with {each.code}:\n{each.output}"
        shown = each.command.shown
        if shown is not None and shown.language == "json":
            missing = _missing(json.loads(shown.text), json.loads(each.output))
            assert not missing, f"{each.command} does not print {missing}:\n{each.output}"
        elif shown is not None:
            _assert_lines(shown.text, each)


def _assert_lines(shown: str, ran: CommandResult) -> None:
    printed = iter(_bare(ran.output).splitlines())
    for line in _bare(shown).splitlines():
        if line == "…":
            continue
        assert any(_fits(line, each) for each in printed), f"{ran.command} does not print, in this order, {line!r}:\n{ran.output}"


def _fits(shown: str, printed: str) -> bool:
    """Whether the documented line equals the printed line or its beginning."""
    return printed.startswith(shown)


def _bare(text: str) -> str:
    """The text without ids and times, which differ from run to run. Blanks count once, because table columns are as wide as their words."""
    text = _TIME.sub("TIME", _UUID.sub("ID", text))
    return "\n".join(re.sub(r"\s+", " ", line).strip() for line in text.splitlines())


def _missing(shown: Any, printed: Any, path: str = "") -> str:
    """Paths at which ``printed`` lacks the documented value. ``…`` matches every text. Documented list items must come first."""
    if isinstance(shown, dict):
        if not isinstance(printed, dict):
            return path or "an object"
        return next((lack for key, value in shown.items() if (lack := _missing(value, printed.get(key), f"{path}.{key}"))), "")
    if isinstance(shown, list):
        if not isinstance(printed, list) or len(printed) < len(shown):
            return path or "a list"
        return next((lack for index, value in enumerate(shown) if (lack := _missing(value, printed[index], f"{path}[{index}]"))), "")
    if shown == "…":
        return "" if isinstance(printed, str) and printed else path
    return "" if _bare(str(shown)) == _bare(str(printed)) else f"{path}: {shown}, but {printed}"


def programs_path(*folders: Path) -> str:
    """PATH that begins with the programs of this interpreter's environment and of ``folders``."""
    return os.pathsep.join([*map(str, folders), os.environ["PATH"]])
