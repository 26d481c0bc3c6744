"""Parts of a release: the lock entries that the component list is made from, licences, and the builders of the container image."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.directories import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))
from container_image import BUILDERS, ImageError, build_image, builder
from lock import LOCKS, entries, locked
from sbom import UnlockedError, sbom

HASH = "0" * 64


def test_lock_entries_have_hashes_marker_and_the_packages_that_need_them() -> None:
    text = (
        f"One.two==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{'1' * 64}\n    # via three\n".lower()
        + f"three==2.0 \\\n    --hash=sha256:{HASH}\n    # via\n    #   -c requirements/server.txt\n    #   four\n    #   five-six\n"
        + f"four==3.0 \\\n    --hash=sha256:{HASH}\n"
    ).replace("one.two", "one-two")
    first, second, third = entries(text)
    assert (first.name, first.version, first.hashes, first.needed_by) == ("one-two", "1.0", (HASH, "1" * 64), ("three",))
    assert str(first.requirement.marker) == 'sys_platform == "win32"'
    assert (second.name, second.hashes, second.needed_by) == ("three", (HASH,), ("four", "five-six"))
    assert (third.name, third.needed_by) == ("four", ())


def test_every_lock_entry_of_the_server_is_read() -> None:
    text = (REPOSITORY / LOCKS["server"]).read_text(encoding="utf-8")
    names = {entry.name for entry in entries(text)}
    assert names >= set(locked(text)[0])
    assert {needing for entry in entries(text) for needing in entry.needed_by} <= names


@pytest.mark.parametrize(("before", "after"), [("yarl==", "yarl==99."), ("yarl==", "yarl-of-nobody==")])
def test_component_list_refuses_another_package_than_the_locked_one(tmp_path: Path, before: str, after: str) -> None:
    for file in ("requirements/server.txt", "clients/python/pyproject.toml", "server/pyproject.toml"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text((REPOSITORY / file).read_text(encoding="utf-8").replace(f"\n{before}", f"\n{after}"), encoding="utf-8")
    with pytest.raises(UnlockedError, match=r"^yarl\S* \S+ is locked and (\S+ is|not) installed$"):
        sbom(tmp_path, "1.0.0", "a" * 40, 0)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only one on PATH."""
    (tmp_path / "programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    return tmp_path / "programs"


def program(programs: Path, name: str, script: str) -> None:
    (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (programs / name).chmod(0o755)


def test_first_builder_that_works_is_taken(programs: Path) -> None:
    assert builder() is None
    for name in BUILDERS:
        program(programs, name, "exit 1")
    assert builder() is None
    program(programs, "buildah", "exit 0")
    assert builder() == "buildah"
    program(programs, "podman", "exit 0")
    assert builder() == "podman"


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("podman", "save --output {target} tillsync:1.0.0"),
        ("docker", "save --output {target} tillsync:1.0.0"),
        ("buildah", "push tillsync:1.0.0 docker-archive:{target}:tillsync:1.0.0"),
    ],
)
def test_image_is_built_from_the_containerfile_and_saved(programs: Path, tmp_path: Path, name: str, saved: str) -> None:
    program(programs, name, f'echo "$*" >> {tmp_path}/calls')
    build_image(name, tmp_path, "tillsync:1.0.0", tmp_path / "image.tar")
    assert (tmp_path / "calls").read_text(encoding="utf-8").splitlines() == [
        "build --file deploy/Containerfile --tag tillsync:1.0.0 .",
        saved.format(target=tmp_path / "image.tar"),
    ]
    program(programs, name, 'test "$1" = build || { echo first; echo "no space" >&2; exit 1; }')
    with pytest.raises(ImageError, match=rf"^{name} (save|push) failed \(no space\)$"):
        build_image(name, tmp_path, "tillsync:1.0.0", tmp_path / "image.tar")
