"""The small parts of the composition root: secrets in files, and work that comes round."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from support.waiting import within
from tillsync_server.adapters.http_client import AllowedHosts
from tillsync_server.application.concurrency.recurring import Recurring, while_more, without_due_time
from tillsync_server.composition.errors import StartError
from tillsync_server.composition.private_files import make_private, read_private
from tillsync_server.composition.servers import named_by_operator


def test_a_private_file_is_made_whole_for_its_owner_only_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    assert read_private(path) is None
    assert make_private(path, lambda: "first") == "first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert make_private(path, lambda: "second") == "first"
    assert read_private(path) == "first"
    assert [left.name for left in path.parent.iterdir()] == ["secret"]


def test_of_two_that_make_it_at_once_both_get_the_same(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def while_another_is_faster() -> str:
        make_private(path, lambda: "theirs")
        return "ours"

    assert make_private(path, while_another_is_faster) == "theirs"
    assert read_private(path) == "theirs"


@pytest.mark.parametrize(("text", "mode", "said"), [("x", 0o640, "other users"), ("x", 0o604, "other users"), ("  \n", 0o600, "is empty")])
def test_a_private_file_that_cannot_be_trusted(tmp_path: Path, text: str, mode: int, said: str) -> None:
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(StartError, match=said):
        read_private(path)


def test_a_place_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="cannot be"):
        make_private(tmp_path / "file" / "secret", lambda: "x")


class Away(Exception):
    pass


async def test_recurring_work_survives_faults_and_goes_on_at_once_while_there_is_more() -> None:
    script: list[object] = [True, True, ValueError("ours"), Away(), True, False]
    done = asyncio.Event()

    async def work() -> bool:
        if not script:
            done.set()
            return False
        step = script.pop(0)
        if isinstance(step, Exception):
            raise step
        return bool(step)

    task = Recurring("test", while_more(work), seconds=0.01, database_gone=(Away,))
    task.start()
    await within(done.wait())
    await task.stop()
    await task.stop()


async def test_recurring_work_can_be_woken() -> None:
    rounds = asyncio.Semaphore(0)

    async def work() -> None:
        rounds.release()

    task = Recurring("test", without_due_time(work), seconds=3600, database_gone=())
    task.start()
    for _ in range(3):
        await within(rounds.acquire())
        task.wake()
    await task.stop()


def test_hosts_that_may_be_asked_in_plain_http_are_those_the_operator_named() -> None:
    named = named_by_operator(AllowedHosts.parse("till.internal, other.internal:8443, 10.1.0.0/16, fd12::/16"))
    assert named("till.internal", 80)
    assert named("TILL.internal.", 80)
    assert named("other.internal", 8443)
    assert not named("other.internal", 80)
    assert named("10.1.2.3", 80)
    assert named("fd12::1", 80)
    assert not named("10.2.0.1", 80)
    assert not named("api.example.test", 80)
