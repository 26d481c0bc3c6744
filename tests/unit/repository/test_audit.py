"""`make audit` prints a result only for packages that an advisory service knows."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from support.directories import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))
from audit import NO_WEAKNESS, NOT_AUDITED, WEAK, Answer, answer_of, report

KNOWN = {"name": "yarl", "version": "1.2", "vulns": []}
UNKNOWN = {"name": "tenacity", "skip_reason": "Dependency not found on PyPI and could not be audited: tenacity (9)"}
FIXED = {"id": "PYSEC-2026-1", "fix_versions": ["1.3", "2.0"], "aliases": [], "description": "…"}
NOT_FIXED = {"id": "GHSA-1", "fix_versions": [], "aliases": [], "description": "…"}


def answered(*packages: Mapping[str, object]) -> Answer:
    return answer_of(json.dumps({"dependencies": packages, "fixes": []}), "")


def test_service_that_knows_all_packages_decides() -> None:
    assert list(report("server.txt", {"pypi": answered(KNOWN)})) == [
        (NO_WEAKNESS, "server.txt: no known weakness in 1 packages (says PyPI (pypi.org))")
    ]
    assert [code for code, _ in report("server.txt", {"pypi": answered(UNKNOWN), "osv": answered(KNOWN)})] == [NO_WEAKNESS]


def test_each_weakness_is_one_line_with_the_fixed_versions() -> None:
    weak = answered({**KNOWN, "vulns": [FIXED, NOT_FIXED]})
    assert list(report("server.txt", {"pypi": weak})) == [
        (WEAK, "server.txt: yarl 1.2: PYSEC-2026-1, fixed in 1.3, 2.0 (says PyPI (pypi.org))"),
        (WEAK, "server.txt: yarl 1.2: GHSA-1, no fixed version (says PyPI (pypi.org))"),
    ]


def test_no_answer_and_an_answer_about_some_packages_are_no_audit() -> None:
    failed = answer_of("", "Traceback\n…\nConnectionError: api.osv.dev\n")
    answers = {"pypi": answered(KNOWN, UNKNOWN), "osv": failed}
    assert list(report("server.txt", answers)) == [
        (
            NOT_AUDITED,
            "server.txt: NOT AUDITED. PyPI (pypi.org): does not know 1 of 2 packages; "
            "OSV (api.osv.dev): no answer (ConnectionError: api.osv.dev)",
        )
    ]
    assert [code for code, _ in report("server.txt", {"pypi": answered(), "osv": answer_of("{}", "")})] == [NOT_AUDITED]


def test_weakness_is_reported_although_other_packages_are_unknown() -> None:
    answers = {"pypi": answered({**KNOWN, "vulns": [FIXED]}, UNKNOWN)}
    assert [code for code, _ in report("server.txt", answers)] == [WEAK, NOT_AUDITED]
