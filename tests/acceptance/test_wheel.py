"""Tests the two packages as users get them: client with command line, and server with sandbox.

Each package is installed into an environment that has only the dependencies of its metadata.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from support.directories import REPOSITORY, reachable_directory

CLIENT, SERVER = "clients/python", "server"
PACKAGES = {CLIENT: ("tillsync", "tillsync_client", "tillsync_cli"), SERVER: ("tillsync_server", "tillsync_sandbox")}
"""Packages by the folder of their distribution."""
pytestmark = pytest.mark.processes


@dataclass(frozen=True)
class Installed:
    """A separate environment with installed wheels."""

    directory: Path

    def run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a program outside the source tree. Of this process's variables it gets only the given ones."""
        return subprocess.run(
            [self.directory / "bin" / program, *arguments],
            cwd=self.directory,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.directory), "COLUMNS": "200", "NO_COLOR": "1", **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@dataclass(frozen=True)
class Built:
    """One distribution that hatchling built from ``source``."""

    source: Path
    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    return {folder: _build(REPOSITORY / folder, tmp_path_factory.mktemp("built")) for folder in PACKAGES}


def _build(source: Path, target: Path) -> Built:
    for kind in ("sdist", "wheel"):
        command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
        run = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=60)
        assert run.returncode == 0, run.stdout + run.stderr
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return Built(source, wheel, sdist)


def _contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _of_this_platform(lines: list[str], extra: str) -> Iterator[Requirement]:
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def _requirements(wheel: Path) -> list[str]:
    metadata = next(content for name, content in _contents(wheel).items() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(metadata).get_all("Requires-Dist") or []


def _closure(wheels: Sequence[Path]) -> dict[str, importlib.metadata.Distribution]:
    """Distributions that pip would install beside the wheels: each declared dependency, and theirs, as installed in this environment."""
    ours = {canonicalize_name(wheel.name.split("-")[0]) for wheel in wheels}
    waiting = [requirement for wheel in wheels for requirement in _of_this_platform(_requirements(wheel), "")]
    found: dict[str, importlib.metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        distribution = importlib.metadata.distribution(name)
        assert requirement.specifier.contains(distribution.version, prereleases=True), requirement
        if name in ours:
            continue
        found[name] = distribution
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting += _of_this_platform(distribution.requires or [], wanted)
    return found


def _install(directory: Path, *wheels: Path) -> Installed:
    """Installs the wheels without a registry. It copies the dependencies from this environment, as ``pip install`` would place them."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True, timeout=60)
    site = directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for distribution in _closure(wheels).values():
        for file in distribution.files or []:
            source, target = Path(str(file.locate())), site / file
            if ".." in file.parts or not source.exists():  # a program, or byte code that Python never wrote
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(source)
            except OSError:  # the target is on another file system
                shutil.copy2(source, target)
    pip = [sys.executable, "-m", "pip", "--python", str(directory), "install", "--no-deps", "--no-index", "--quiet", *map(str, wheels)]
    run = subprocess.run([*pip, "--disable-pip-version-check"], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return Installed(directory)


@pytest.fixture(scope="module")
def client(built: dict[str, Built]) -> Iterator[Installed]:
    with reachable_directory("tillsync-wheel-") as directory:
        yield _install(directory, built[CLIENT].wheel)


@pytest.fixture(scope="module")
def server(built: dict[str, Built]) -> Iterator[Installed]:
    with reachable_directory("tillsync-wheel-") as directory:
        yield _install(directory, built[SERVER].wheel, built[CLIENT].wheel)


@pytest.fixture(scope="module")
def oldest(built: dict[str, Built]) -> Iterator[Installed]:
    """The client with the oldest version of each dependency that its metadata allows, installed from the package index with hashes."""
    with reachable_directory("tillsync-wheel-") as directory:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True, timeout=60)
        pip = [sys.executable, "-m", "pip", "--python", str(directory), "install", "--quiet", "--disable-pip-version-check"]
        for what in (
            ["--require-hashes", "-r", str(REPOSITORY / "requirements/client-oldest.txt")],
            ["--no-deps", str(built[CLIENT].wheel)],
        ):
            run = subprocess.run([*pip, *what], capture_output=True, text=True, check=False, timeout=100)
            assert run.returncode == 0, run.stderr
        yield Installed(directory)


@pytest.mark.parametrize("folder", PACKAGES)
def test_wheel_has_every_file_of_the_packages_and_no_other(built: dict[str, Built], folder: str) -> None:
    sources = {
        path.relative_to(REPOSITORY / folder).as_posix()
        for package in PACKAGES[folder]
        for path in (REPOSITORY / folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    in_wheel = {name: content for name, content in _contents(built[folder].wheel).items() if ".dist-info/" not in name}
    assert set(in_wheel) == sources
    statements = sum(content.count(b"-- name: ") for name, content in in_wheel.items() if name.endswith(".sql"))
    assert statements > 100 if folder == SERVER else statements == 0


@pytest.mark.parametrize("folder", PACKAGES)
def test_sdist_has_the_sources_of_the_wheel_and_no_plugin(built: dict[str, Built], folder: str) -> None:
    with tarfile.open(built[folder].sdist) as archive:
        parts = {Path(member.name).parts[1] for member in archive if member.isfile()}
    assert parts - {".gitignore"} == {*PACKAGES[folder], "LICENSE", "README.md", "pyproject.toml", "PKG-INFO"}


@pytest.mark.parametrize("folder", PACKAGES)
def test_wheel_built_from_the_sdist_is_the_same(built: dict[str, Built], folder: str, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", str(built[folder].sdist), "-C", str(tmp_path)], check=True, timeout=60)
    (source,) = tmp_path.iterdir()
    assert _contents(_build(source, tmp_path / "out").wheel) == _contents(built[folder].wheel)


def test_server_requires_the_client_of_the_same_release(built: dict[str, Built]) -> None:
    assert f"tillsync=={importlib.metadata.version('tillsync')}" in _requirements(built[SERVER].wheel)


def test_client_alone_has_a_library_and_a_command_line(client: Installed) -> None:
    version = importlib.metadata.version("tillsync")
    assert client.run("tillsync", "--version").stdout == f"tillsync {version}\n"
    helped = client.run("tillsync", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "serve" in helped.stdout
    imported = client.run("python", "-W", "error", "-c", "import tillsync_client; print(tillsync_client.__file__)")
    assert imported.stdout.startswith(str(client.directory)), imported.stderr
    listing = client.run("tillsync", "queue", "list", "shop-a", "orders", TILLSYNC_ADDRESS="127.0.0.1:1", TILLSYNC_TOKEN="a-token")
    assert listing.returncode == 3
    assert "Traceback" not in listing.stdout + listing.stderr
    assert "127.0.0.1:1" in listing.stderr


def test_client_starts_on_the_oldest_versions_that_it_allows(built: dict[str, Built], oldest: Installed) -> None:
    requirements = {requirement.name: requirement for requirement in map(Requirement, _requirements(built[CLIENT].wheel))}
    code = "import importlib.metadata, sys; print(*map(importlib.metadata.version, sys.argv[1:]), sep='\\n')"
    installed = oldest.run("python", "-c", code, *requirements).stdout.split()
    assert list(map(Version, installed)) == [_floor(requirement) for requirement in requirements.values()]
    imported = oldest.run("python", "-W", "error", "-c", "import tillsync_client; print(tillsync_client.__file__)")
    assert imported.stdout.startswith(str(oldest.directory)), imported.stderr
    helped = oldest.run("tillsync", "account", "set", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")


def _floor(requirement: Requirement) -> Version:
    (floor,) = (Version(specifier.version) for specifier in requirement.specifier if specifier.operator == ">=")
    return floor


@pytest.mark.parametrize(
    "command", ["serve", "worker", "migrate", "settings", "sandbox", "demo", "reencrypt", "status", "doctor", "backup", "restore"]
)
def test_server_command_without_the_server_names_the_missing_package(client: Installed, command: str) -> None:
    run = client.run("tillsync", command)
    assert run.returncode != 0
    assert (run.stdout, run.stderr.count("\n")) == ("", 1)
    assert "this command needs the server" in run.stderr
    assert "pip install tillsync-server" in run.stderr


def test_every_module_of_both_wheels_is_importable(server: Installed) -> None:
    code = """
import importlib, pkgutil, sys
modules = 0
for package in map(importlib.import_module, sys.argv[1:]):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        modules += 1
print(modules)
"""
    packages = [package for packages in PACKAGES.values() for package in packages]
    run = server.run("python", "-W", "error", "-c", code, *packages)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 200


async def test_installed_server_serves_on_its_embedded_database_and_the_client_calls_it(
    server: Installed, client: Installed, oldest: Installed
) -> None:
    """Binaries, migrations and statements come from the wheels and their dependencies.

    The client also calls with its oldest dependencies.
    """
    helped = server.run("tillsync", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    listed = server.run("tillsync", "settings")
    assert listed.returncode == 0, listed.stderr
    with reachable_directory() as data:
        process = await asyncio.create_subprocess_exec(
            server.directory / "bin" / "tillsync",
            "serve",
            cwd=server.directory,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(data),
                "PYTHONUNBUFFERED": "1",
                "TILLSYNC_DATA_DIR": str(data / "data"),
                "TILLSYNC_POSTGRES_BIN": "wheel",
                "TILLSYNC_GRPC_LISTEN": "127.0.0.1:0",
                "TILLSYNC_HTTP_LISTEN": "127.0.0.1:0",
                "TILLSYNC_OPERATIONS_LISTEN": "127.0.0.1:0",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                lines = [(await process.stdout.readline()).decode() for _ in range(3)]
                address, token = lines[0].split()[-1], f"@{data}/data/admin-token"
                variables = {"TILLSYNC_ADDRESS": address, "TILLSYNC_TOKEN": token}
                called = [await asyncio.to_thread(each.run, "tillsync", "account", "list", **variables) for each in (client, oldest)]
                with contextlib.suppress(ProcessLookupError):  # the process may have ended early: the assertions below show its errors
                    process.terminate()
                _, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert [line.split()[0] for line in lines if line] == ["gRPC", "HTTP", "operations"], errors.decode()
    assert process.returncode == 0, errors.decode()
    assert [(each.returncode, each.stderr) for each in called] == [(0, "")] * 2, lines
