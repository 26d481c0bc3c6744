"""The generated package matches the protos, and the client's pyproject.toml requires runtimes that can run it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from support.directories import REPOSITORY

GENERATED = REPOSITORY / "clients" / "python" / "tillsync" / "v1"
SCRIPT = REPOSITORY / "scripts" / "generate_protos.py"


def _run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_generated_code_is_current() -> None:
    run = _run(SCRIPT, "--check")
    assert run.returncode == 0, run.stderr


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """A copy of the script with its protos and output, which a test may change."""
    for path in (
        SCRIPT,
        SCRIPT.with_name("archives.py"),
        SCRIPT.with_name("proto_source.py"),
        SCRIPT.with_name("releases.py"),
        *(REPOSITORY / "protos").rglob("*.proto"),
        *GENERATED.glob("*.py*"),
    ):
        target = tmp_path / path.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return tmp_path


def test_check_names_each_stale_file_and_generation_updates_it(project_copy: Path) -> None:
    script = project_copy / SCRIPT.relative_to(REPOSITORY)
    package = project_copy / GENERATED.relative_to(REPOSITORY)
    handwritten = (package / "__init__.py").read_bytes()
    (package / "link_pb2.py").write_text("# edited by hand\n")
    (package / "token_pb2.pyi").unlink()
    (package / "gone_pb2.py").write_text("# of a proto that was removed\n")

    check = _run(script, "--check")

    assert check.returncode == 1
    assert check.stderr.splitlines() == [
        "clients/python/tillsync/v1/gone_pb2.py: has no proto any more",
        "clients/python/tillsync/v1/link_pb2.py: out of date",
        "clients/python/tillsync/v1/token_pb2.pyi: missing",
        "run: python scripts/generate_protos.py",
    ]

    assert _run(script).returncode == 0
    assert _run(script, "--check").returncode == 0
    assert not (package / "gone_pb2.py").exists()
    assert (package / "__init__.py").read_bytes() == handwritten


def test_broken_proto_is_named_and_changes_no_file(project_copy: Path) -> None:
    broken = project_copy / "protos" / "tillsync" / "v1" / "link.proto"
    broken.write_text(broken.read_text().replace("message Link {", "message Link {\n  nonsense"))
    package = project_copy / GENERATED.relative_to(REPOSITORY)
    before = {path.name: path.read_bytes() for path in package.iterdir()}

    run = _run(project_copy / SCRIPT.relative_to(REPOSITORY))

    assert run.returncode == 2
    assert "tillsync/v1/link.proto" in run.stderr
    assert {path.name: path.read_bytes() for path in package.iterdir()} == before


def test_breaking_changes_against_a_commit_are_named(project_copy: Path) -> None:
    (project_copy / "buf.yaml").write_bytes((REPOSITORY / "buf.yaml").read_bytes())
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false")
    for command in (("init", "--quiet"), ("add", "protos", "buf.yaml"), (*identity, "commit", "--quiet", "--message", "before")):
        subprocess.run(["git", *command], cwd=project_copy, check=True, capture_output=True, timeout=60)
    script = project_copy / SCRIPT.relative_to(REPOSITORY)
    same = _run(script, "--breaking-against", "HEAD")
    assert same.returncode == 0, same.stdout + same.stderr

    proto = project_copy / "protos" / "tillsync" / "v1" / "customer_sync_service.proto"
    proto.write_text(proto.read_text().replace("bool force = 4;", "string force = 4;"))
    broken = _run(script, "--breaking-against", "HEAD")

    assert broken.returncode not in (0, 2)
    assert 'message "SyncCustomerRequest" changed type from "bool" to "string"' in broken.stdout
    unknown = _run(script, "--breaking-against", "no-such-ref")
    assert unknown.returncode == 2
    assert "no protos at no-such-ref" in unknown.stderr


def test_previous_release_is_that_of_the_file_the_latest_tag_or_the_previous_commit(project_copy: Path) -> None:
    """`make check` compares with the latest release until the next one."""
    (project_copy / "buf.yaml").write_bytes((REPOSITORY / "buf.yaml").read_bytes())
    script = project_copy / SCRIPT.relative_to(REPOSITORY)
    proto = project_copy / "protos" / "tillsync" / "v1" / "customer_sync_service.proto"

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false")
        subprocess.run(["git", *identity, *arguments], cwd=project_copy, check=True, capture_output=True, timeout=60)

    def commit(**replaced: str) -> None:
        for before, after in replaced.items():
            proto.write_text(proto.read_text().replace(before, after))
        git("add", "protos", "buf.yaml")
        git("commit", "--quiet", "--allow-empty", "--message", "change")

    git("init", "--quiet")
    commit()
    alone = _run(script, "--breaking")
    assert (alone.returncode, alone.stderr) == (0, "breaking changes: not looked for, as this clone has no earlier commit\n")
    commit(force="urgent")
    assert 'changed name from "force" to "urgent"' in _run(script, "--breaking").stdout
    git("tag", "v1.0.0")
    commit()
    commit()
    assert _run(script, "--breaking").returncode == 0, "compared with the tag"
    commit(urgent="hurry")
    commit()
    late = _run(script, "--breaking")
    assert late.returncode not in (0, 2)
    assert 'changed name from "urgent" to "hurry"' in late.stdout, "also a commit later"

    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project_copy, check=True, capture_output=True, text=True, timeout=60).stdout
    releases = project_copy / "releases.txt"
    releases.write_text(f"# comment\n1.1.0 {head}")
    commit()
    assert _run(script, "--breaking").returncode == 0, "compared with the release that the file names"
    releases.write_text(f"{releases.read_text()}1.2.0 {'0' * 40}\n")
    shallow = _run(script, "--breaking")
    assert shallow.returncode not in (0, 2), "compared with the tag"
    assert f"this clone lacks release 1.2.0 ({'0' * 40}): git fetch --unshallow\n" in shallow.stderr
    releases.write_text("1.1.0\n")
    assert _run(script, "--breaking").stderr == "releases.txt:1: write `VERSION COMMIT` with three numbers and 40 hexadecimal digits\n"


def _floor(distribution: str) -> Version:
    dependencies = tomllib.loads((REPOSITORY / "clients/python/pyproject.toml").read_text())["project"]["dependencies"]
    for requirement in map(Requirement, dependencies):
        if requirement.name == distribution:
            floors = [Version(specifier.version) for specifier in requirement.specifier if specifier.operator == ">="]
            assert floors, f"{distribution} has no floor in clients/python/pyproject.toml"
            return max(floors)
    raise AssertionError(f"{distribution} is no dependency of the client")


def test_grpcio_floor_follows_the_generator() -> None:
    generated = {
        match[1]
        for path in GENERATED.glob("*_pb2_grpc.py")
        for match in re.finditer(r"^GRPC_GENERATED_VERSION = '([^']+)'$", path.read_text(), re.MULTILINE)
    }
    assert len(generated) == 1
    assert _floor("grpcio") == Version(generated.pop())


def test_protobuf_floor_follows_the_generator() -> None:
    modules = list(GENERATED.glob("*_pb2.py"))
    generated = [re.search(r"^# Protobuf Python Version: (\S+)$", path.read_text(), re.MULTILINE) for path in modules]
    versions = {match[1] for match in generated if match}
    assert len(modules) == len([match for match in generated if match])
    assert len(versions) == 1
    assert _floor("protobuf") == Version(versions.pop())
