"""Processes of a round. Each runs this module as a script under uvloop, and answers with one line of JSON.

Commands: ``drain SYSTEM DSN WARM COUNT [OPTIONS]`` · ``starts SYSTEM DSN [OPTIONS]`` (stdin has the number of expected starts) ·
``one-process ...`` (`one_process`) · ``insert ...`` (`least_sql`) · ``calls ...`` (`calls_client`) · ``flood ...`` (`flood`) · ``echo``
(`echo_server`) · ``silent`` (`silent_server`) · ``service`` (`counted_service`). OPTIONS is a JSON object of keyword arguments, for
tuning.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.tally import OrderCheck, Tally

ROOT = Path(__file__).resolve().parents[2]
_READY = "ready"


async def run_child(*arguments: object, seconds: float = 900.0) -> dict[str, Any]:
    """Runs a process to its end. Returns its answer. Raises RuntimeError for an exit code other than 0."""
    async with running_child(*arguments) as process:
        assert process.stdout is not None
        out = await asyncio.wait_for(process.stdout.read(), seconds)
        code = await process.wait()
    if code:
        raise RuntimeError(f"{' '.join(map(str, arguments))} ended with {code}")
    answer: dict[str, Any] = json.loads(out.decode().strip().splitlines()[-1])
    return answer


@asynccontextmanager
async def running_child(
    *arguments: object, await_ready: bool = False, variables: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Starts a process, and kills it on exit if it still runs. ``await_ready`` waits for its ready line. ``variables``: its environment."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.child", *map(str, arguments)),
        cwd=ROOT,
        env=variables,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 2**20,
    )
    try:
        if await_ready:
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), 60)
            if not line.decode().startswith(_READY):
                raise RuntimeError(f"{' '.join(map(str, arguments))} did not start")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def say_ready(extra: object = "") -> None:
    print(_READY, extra, flush=True)


async def stdin_ended() -> bytes:
    """Waits for the end of stdin. Returns its content."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return await reader.read()


async def _drain(system: str, dsn: str, warm: int, count: int, options: dict[str, Any]) -> dict[str, Any]:
    tally, check = Tally(warm, count), OrderCheck()
    match system:
        case "ours":
            from benchmarks import ours

            await ours.drain(dsn, tally)
        case "least-sql":
            from benchmarks import least_sql

            await least_sql.drain(dsn, tally, **options)
        case "ours-ordered":
            from benchmarks import ours

            await ours.drain(dsn, tally, check, **options)
        case "pgqueuer":
            from benchmarks.peers import pgqueuer

            await pgqueuer.drain(dsn, tally, **options)
        case "procrastinate":
            from benchmarks.peers import procrastinate

            await procrastinate.drain(dsn, tally, check, **options)
        case _:
            raise ValueError(system)
    return {"per_second": tally.per_second, "total": tally.total, "out_of_order": check.out_of_order}


async def _starts(system: str, dsn: str, options: dict[str, Any]) -> dict[str, Any]:
    starts: dict[int, int] = {}
    stop = asyncio.Event()
    match system:
        case "ours":
            from benchmarks import ours

            work = _until(stop, ours.noting_worker(dsn, starts))
        case "pgqueuer":
            from benchmarks.peers import pgqueuer

            work = pgqueuer.start_times(dsn, starts, stop, **options)
        case _:
            raise ValueError(system)
    run = asyncio.create_task(work)
    say_ready()
    expected = int(await stdin_ended())
    async with asyncio.timeout(60):  # a slow system finishes its backlog here, and its waits show it
        while len(starts) < expected:
            await asyncio.sleep(0.05)
    stop.set()
    await run
    return {"starts": starts}


async def _until(stop: asyncio.Event, working: AbstractAsyncContextManager[object]) -> None:
    async with working:
        await stop.wait()


async def _main(command: str, *arguments: str) -> dict[str, Any]:
    match command, *arguments:
        case "drain", system, dsn, warm, count, *options:
            return await _drain(system, dsn, int(warm), int(count), json.loads(options[0]) if options else {})
        case "starts", system, dsn, *options:
            return await _starts(system, dsn, json.loads(options[0]) if options else {})
        case "one-process", system, dsn, warm, count, per_second:
            from benchmarks.one_process import measure as measure_one_process

            return {"p50_p99_ms": await measure_one_process(system, dsn, int(warm), int(count), int(per_second))}
        case ("silent",):
            from benchmarks.silent_server import serve as hold

            return await hold()
        case ("echo",):
            from benchmarks.echo_server import serve

            return await serve()
        case ("service",):
            from benchmarks import counted_service

            await counted_service.serve()
            return {}
        case "insert", dsn, warm, count, in_flight, first_id:
            from benchmarks import least_sql

            return await least_sql.insert(dsn, int(warm), int(count), int(in_flight), int(first_id))
        case "calls", target, kind, token, warm, count, in_flight, first_id:
            from benchmarks.calls_client import measure

            return await measure(target, kind, token, int(warm), int(count), int(in_flight), int(first_id))
        case "flood", target, kind, token, seconds:
            from benchmarks.flood import flood

            return await flood(target, kind, token, float(seconds))
        case _:
            raise ValueError(command)


if __name__ == "__main__":
    import uvloop
    from tillsync_server.composition.gc_tuning import tune_gc

    tune_gc()  # as in `tillsync serve` and `worker`, and also for the peers
    print(json.dumps(uvloop.run(_main(*sys.argv[1:]))), flush=True)
