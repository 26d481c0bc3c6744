"""The edges: what a caller may take before and after it has shown a token."""

from __future__ import annotations

from mutants.mutant import Mutant, value

EDGES = [
    Mutant(
        "strangers-hold-no-place",
        "a request is waited for before its caller is known",
        value("(await read(None), await self._caller(method, authorization))[1]"),
    ),
    Mutant("one-caller-takes-its-turns-only", "a caller is worked on as often as it calls", value("_Turns(asyncio.Semaphore(10_000))")),
]
