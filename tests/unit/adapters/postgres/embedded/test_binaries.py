"""The PostgreSQL programs of the embedded database: search order, version of the data directory, and refusals with a remedy."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from support.directories import reachable_directory
from tillsync_server.adapters.postgres.embedded import WHEEL, EmbeddedPostgresError, binaries
from tillsync_server.adapters.postgres.embedded.binaries import Binaries, find_binaries, major_version, reachable_binaries, system_bin_dirs
from tillsync_server.adapters.postgres.embedded.data_directory import DataDirectory
from tillsync_server.adapters.postgres.embedded.identity import RunAs

OURSELVES = RunAs(os.geteuid(), os.getegid(), "ourselves", drops=False)


def programs(folder: Path, version: str) -> Path:
    """A folder with programs that only print their version. With an empty ``version`` they do not run."""
    folder.mkdir(parents=True)
    for program in ("postgres", "initdb"):
        says = f"echo '{program} (PostgreSQL) {version}'" if version else "exit 127"
        (folder / program).write_text(f"#!/bin/sh\n{says}\n", encoding="utf-8")
        (folder / program).chmod(0o755)
    return folder


class Machine:
    """A machine with its PostgreSQL installations under ``root``."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._patch = patch
        patch.setattr(binaries, "SYSTEM_FOLDERS", (f"{root}/lib/postgresql/*/bin", f"{root}/pgsql-*/bin"))
        patch.setenv("PATH", f"/usr/bin:/bin:{root}/local")
        patch.setattr("shutil.which", lambda name: str(path) if (path := root / "local" / name).exists() else None)
        self.wheel(None)

    def debian(self, major: int, version: str | None = None) -> Path:
        return programs(self.root / f"lib/postgresql/{major}/bin", f"{major}.3" if version is None else version)

    def pgdg(self, major: int) -> Path:
        return programs(self.root / f"pgsql-{major}/bin", f"{major}.3")

    def on_path(self, folder: Path) -> None:
        (self.root / "local").mkdir()
        (self.root / "local/postgres").symlink_to(folder / "postgres")

    def wheel(self, version: str | None) -> Path | None:
        bin_dir = None if version is None else programs(self.root / "site-packages/pginstall/bin", version)
        self._patch.setattr(binaries, "wheel_bin_dir", lambda: bin_dir)
        return bin_dir


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def taken(made_by: int | None = None, wanted: Path | None = None) -> Path:
    return find_binaries(wanted, made_by, OURSELVES).bin_dir


def refusal(made_by: int | None = None, wanted: Path | None = None) -> str:
    with pytest.raises(EmbeddedPostgresError) as caught:
        find_binaries(wanted, made_by, OURSELVES)
    return str(caught.value)


def test_search_order_is_debian_newest_then_pgdg_then_path_then_wheel(machine: Machine) -> None:
    wheel = machine.wheel("18.6")
    assert taken() == wheel
    other = programs(machine.root / "opt/bin", "15.9")
    machine.on_path(other)
    assert taken() == other
    rpm_16, rpm_17 = machine.pgdg(16), machine.pgdg(17)
    assert taken() == rpm_17
    debian_9, debian_15, debian_16 = machine.debian(9, "9.6.24"), machine.debian(15), machine.debian(16)
    assert taken() == debian_16
    assert system_bin_dirs() == [debian_16, debian_15, debian_9, rpm_17, rpm_16, other]


def test_link_on_path_to_a_system_folder_is_not_a_second_folder(machine: Machine) -> None:
    debian = machine.debian(15)
    machine.on_path(debian)
    assert system_bin_dirs() == [debian]


@pytest.mark.parametrize(("major", "version"), [(14, "14.12"), (17, "")])
def test_too_old_or_broken_programs_are_skipped(machine: Machine, major: int, version: str) -> None:
    machine.debian(major, version)
    wheel = machine.wheel("18.6")
    assert taken() == wheel


def test_installation_without_a_server_is_skipped(machine: Machine) -> None:
    (machine.debian(17) / "initdb").unlink()
    wheel = machine.wheel("18.6")
    assert taken() == wheel


def test_data_directory_is_opened_by_its_own_version(machine: Machine) -> None:
    debian_15, debian_17, wheel = machine.debian(15), machine.debian(17), machine.wheel("18.6")
    assert taken() == debian_17
    assert [taken(made_by) for made_by in (15, 17, 18)] == [debian_15, debian_17, wheel]


def test_missing_version_error_names_installed_versions_and_the_remedy(machine: Machine) -> None:
    machine.debian(15)
    machine.wheel("18.6")
    assert refusal(made_by=16) == (
        "the data directory was made by PostgreSQL 16, but this machine has only PostgreSQL 15 and 18: install PostgreSQL 16 (on Debian "
        "postgresql-16) or name its folder of programs in TILLSYNC_POSTGRES_BIN; to change the version, dump with PostgreSQL 16 and "
        "restore into a new TILLSYNC_DATA_DIR"
    )


def test_missing_postgresql_error_names_each_remedy(machine: Machine) -> None:
    message = refusal()
    for way in ("no PostgreSQL 15 or newer was found", "pip install", "TILLSYNC_POSTGRES_BIN", "DATABASE_URL"):
        assert way in message
    assert "made by PostgreSQL 17, but this machine has no PostgreSQL: install PostgreSQL 17" in refusal(made_by=17)


def test_configured_folder_is_the_only_one_used(machine: Machine) -> None:
    machine.debian(17)
    other = programs(machine.root / "opt/bin", "15.9")
    assert taken(wanted=other) == other
    assert "by PostgreSQL 17, but TILLSYNC_POSTGRES_BIN names PostgreSQL 15: install" in refusal(made_by=17, wanted=other)


def test_relative_folder_is_resolved_from_the_working_directory(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    other = programs(machine.root / "opt/bin", "15.9")
    monkeypatch.chdir(machine.root)
    assert taken(wanted=Path("opt/bin")) == other


def test_unusable_configured_folder_is_refused(machine: Machine) -> None:
    empty = machine.root / "empty"
    empty.mkdir()
    assert f"TILLSYNC_POSTGRES_BIN names {empty}, which does not hold the programs postgres and initdb" in refusal(wanted=empty)
    old, broken = programs(machine.root / "old/bin", "14.1"), programs(machine.root / "broken/bin", "")
    assert "of PostgreSQL 14, but 15 or newer is needed" in refusal(wanted=old)
    assert f"{broken}/postgres does not run here" in refusal(wanted=broken)


def test_setting_wheel_means_the_programs_of_the_wheel(machine: Machine) -> None:
    machine.debian(17)
    assert "no PostgreSQL 15 or newer was found" in refusal(wanted=WHEEL)
    wheel = machine.wheel("18.6")
    assert taken(wanted=WHEEL) == wheel
    assert "made by PostgreSQL 17, but TILLSYNC_POSTGRES_BIN names PostgreSQL 18" in refusal(made_by=17, wanted=WHEEL)


@pytest.mark.parametrize(("printed", "major"), [("15.14 (Debian 15.14-0+deb12u1)", 15), ("19beta2", 19), ("18.6", 18)])
def test_major_version_is_read_from_the_program_output(tmp_path: Path, printed: str, major: int) -> None:
    assert major_version(programs(tmp_path / "bin", printed)) == major


def test_programs_unreachable_for_the_postgresql_user_are_skipped_or_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = RunAs(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid, "nobody", drops=True)
    with reachable_directory() as directory:
        machine = Machine(directory, monkeypatch)
        closed = machine.debian(17)
        closed.chmod(0o700)
        debian = machine.debian(15)
        assert find_binaries(None, None, nobody) == Binaries(debian, 15)
        with pytest.raises(EmbeddedPostgresError, match="cannot be reached by user nobody"):
            find_binaries(closed, None, nobody)
        assert reachable_binaries(Binaries(debian, 15), nobody, directory) == Binaries(debian, 15)


def test_data_directory_stores_its_version(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path, OURSELVES)
    assert directory.made_by() is None
    directory.cluster.mkdir()
    (directory.cluster / "PG_VERSION").write_text("16\n", encoding="ascii")
    assert directory.made_by() == 16
    (directory.cluster / "PG_VERSION").write_text("\n", encoding="ascii")
    with pytest.raises(EmbeddedPostgresError, match="PG_VERSION names no version: restore the directory from a backup"):
        directory.made_by()
