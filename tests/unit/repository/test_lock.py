"""The lock files match each pyproject.toml and this environment, and name no machine. `make check` names what does not match."""

from __future__ import annotations

import re
import sys

from packaging.utils import canonicalize_name
from support.directories import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))
import lock

HASH = "    --hash=sha256:" + "0" * 64


def test_lock_files_are_current() -> None:
    assert lock.main(["--check"]) == 0


def test_server_lock_has_the_tested_versions() -> None:
    server, development = (lock.locked((REPOSITORY / file).read_text("utf-8"))[0] for file in lock.LOCKS.values())
    assert len(server) > 40
    assert server.items() < development.items()


def test_lock_files_name_no_registry_and_no_path() -> None:
    for file in (lock.LOCKS | lock.OTHER_LOCKS).values():
        text = (REPOSITORY / file).read_text("utf-8")
        assert not re.search(r"://|--(extra-)?index|--find-links|file:|(?<!\S)/", text)


def test_mismatched_package_is_named() -> None:
    text = (REPOSITORY / lock.LOCKS["server"]).read_text("utf-8")
    entry = re.search(r"^yarl==.*\n(?:    .*\n)+", text, re.MULTILINE)
    assert entry
    version = entry[0].split()[0].removeprefix("yarl==")
    other = f"{version}.post1"

    def found(changed: str) -> list[str]:
        return list(lock.problems("server", text.replace(entry[0], changed)))

    assert found(entry[0]) == []
    assert any(re.fullmatch(r"yarl\S* is missing", problem) for problem in found(""))
    assert found(entry[0].replace(version, other)) == [f"yarl is {other}, and {version} is installed here"]
    assert any("yarl is 0.1, which yarl" in problem for problem in found(entry[0].replace(version, "0.1")))
    assert found(f"{entry[0]}unasked==1.0 \\\n{HASH}\n") == ["unasked is needed by nothing"]
    assert found(f"{entry[0]}--index-url https://registry.example.test\n") == [
        "no package with a version and hashes: --index-url https://registry.example.test"
    ]
    assert "no package with a version and hashes: unasked==1.0" in found(f"{entry[0]}unasked==1.0\n")


def test_package_for_another_system_is_ignored() -> None:
    text = f"one==1.0 ; sys_platform == 'win32' \\\n{HASH} \\\n{HASH}\n    # via two\ntwo==2.0 \\\n{HASH}\n"
    assert lock.locked(text) == ({"two": "2.0"}, [])


def test_oldest_client_lock_has_exactly_the_floors() -> None:
    text = (REPOSITORY / lock.OTHER_LOCKS["oldest"]).read_text("utf-8")
    assert list(lock.problems_of_other("oldest", text)) == []
    floor = lock.locked(text)[0][canonicalize_name("protobuf")]
    later = text.replace(f"protobuf=={floor}", f"protobuf=={floor}.post1")
    assert list(lock.problems_of_other("oldest", later)) == [f"protobuf is {floor}.post1, and its floor is {floor}"]


def test_audit_lock_has_its_tool_in_range() -> None:
    text = (REPOSITORY / lock.OTHER_LOCKS["audit"]).read_text("utf-8")
    assert list(lock.problems_of_other("audit", text)) == []
    assert list(lock.problems_of_other("audit", text.replace("pip-audit==", "pip-audit==0."))) == [
        f"pip-audit is 0.{lock.locked(text)[0][canonicalize_name('pip-audit')]}, which pip-audit>=2.10 excludes"
    ]
    assert list(lock.problems_of_other("audit", "unasked==1.0\n")) == [
        "no package with a version and hashes: unasked==1.0",
        "pip-audit>=2.10 is missing",
    ]
