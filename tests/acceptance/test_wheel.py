"""The wheel as its user gets it: installed alone, in an environment that holds only what its metadata asks for."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.directories import reachable_directory

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "server": ("tillsync_server", "tillsync_sandbox"),
    "clients/python": ("tillsync", "tillsync_client", "tillsync_cli"),
}
pytestmark = pytest.mark.processes


@dataclass(frozen=True)
class Installed:
    """An environment of its own with the wheel in it."""

    directory: Path

    def run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Away from the source tree, with no variable of this process but those given."""
        return subprocess.run(
            [self.directory / "bin" / program, *arguments],
            cwd=self.directory,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.directory), "COLUMNS": "200", "NO_COLOR": "1", **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that hatchling builds from the source tree."""
    folder = tmp_path_factory.mktemp("built")
    for target in ("sdist", "wheel"):
        _build(ROOT, target, folder)
    return folder


def _build(source: Path, target: str, folder: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    run = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


def _wheel(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


def _contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _requirements(lines: list[str], extra: str) -> Iterator[Requirement]:
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def _closure(wheel: Path, extra: str) -> dict[str, importlib.metadata.Distribution]:
    """What pip would install beside the wheel: every declared dependency of it, of those, and so on, as installed in this environment."""
    metadata = next(content for name, content in _contents(wheel).items() if name.endswith(".dist-info/METADATA"))
    waiting = [*_requirements(message_from_bytes(metadata).get_all("Requires-Dist") or [], extra)]
    found: dict[str, importlib.metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        found[name] = importlib.metadata.distribution(name)
        assert requirement.specifier.contains(found[name].version, prereleases=True), requirement
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting += _requirements(found[name].requires or [], wanted)
    return found


def _install(wheel: Path, extra: str, directory: Path) -> Installed:
    """As ``pip install 'tillsync[extra]'`` leaves it, without a registry: the dependencies are copied from this environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True, timeout=60)
    site = directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for distribution in _closure(wheel, extra).values():
        for file in distribution.files or []:
            source, target = Path(str(file.locate())), site / file
            if ".." in file.parts or not source.exists():  # a program; byte code that Python never wrote
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(source)
            except OSError:  # another file system
                shutil.copy2(source, target)
    pip = [sys.executable, "-m", "pip", "--python", str(directory), "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    run = subprocess.run([*pip, "--disable-pip-version-check"], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return Installed(directory)


@pytest.fixture(scope="module")
def base(built: Path) -> Iterator[Installed]:
    with reachable_directory("tillsync-wheel-") as directory:
        yield _install(_wheel(built), "", directory)


@pytest.fixture(scope="module")
def server(built: Path) -> Iterator[Installed]:
    with reachable_directory("tillsync-wheel-") as directory:
        yield _install(_wheel(built), "server", directory)


def test_every_file_of_the_packages_is_in_the_wheel_and_no_other(built: Path) -> None:
    sources = {
        path.relative_to(ROOT / root).as_posix()
        for root, packages in PACKAGES.items()
        for package in packages
        for path in (ROOT / root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    in_wheel = {name: content for name, content in _contents(_wheel(built)).items() if ".dist-info/" not in name}
    assert set(in_wheel) == sources
    assert sum(content.count(b"-- name: ") for name, content in in_wheel.items() if name.endswith(".sql")) > 100


def test_the_sdist_holds_nothing_of_the_plugin_and_no_tests(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        parts = {Path(member.name).parts[1] for member in archive if member.isfile()}
    assert parts == {"clients", "server", "protos", "LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "PKG-INFO", ".gitignore"}


def test_the_wheel_built_from_the_sdist_is_the_same(built: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    subprocess.run(["tar", "-xf", str(sdist), "-C", str(tmp_path)], check=True, timeout=60)
    (source,) = tmp_path.iterdir()
    _build(source, "wheel", tmp_path / "out")
    assert _contents(_wheel(tmp_path / "out")) == _contents(_wheel(built))


def test_alone_it_is_client_and_command_line(base: Installed) -> None:
    version = importlib.metadata.version("tillsync")
    assert base.run("tillsync", "--version").stdout == f"tillsync {version}\n"
    helped = base.run("tillsync", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "serve" in helped.stdout
    imported = base.run("python", "-W", "error", "-c", "import tillsync_client; print(tillsync_client.__file__)")
    assert imported.stdout.startswith(str(base.directory)), imported.stderr
    asked = base.run("tillsync", "queue", "list", "shop-a", "orders", TILLSYNC_ADDRESS="127.0.0.1:1", TILLSYNC_TOKEN="a-token")
    assert asked.returncode == 3
    assert "Traceback" not in asked.stdout + asked.stderr
    assert "127.0.0.1:1" in asked.stderr


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "settings", "sandbox", "demo", "reencrypt", "status"])
def test_alone_a_command_of_the_server_says_which_extra_it_needs(base: Installed, command: str) -> None:
    run = base.run("tillsync", command)
    assert run.returncode != 0
    assert (run.stdout, run.stderr.count("\n")) == ("", 1)
    assert "this command needs the server extra" in run.stderr
    assert "pip install 'tillsync[server]'" in run.stderr


def test_every_module_of_the_wheel_is_importable_with_the_extra(server: Installed) -> None:
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


async def test_with_the_extra_it_serves_on_its_embedded_database(server: Installed) -> None:
    """Binaries, migrations and statements all come from the wheel and what it asks for."""
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
                with contextlib.suppress(ProcessLookupError):  # it ended by itself: the assertions below say with what
                    process.terminate()
                _, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert [line.split()[0] for line in lines if line] == ["gRPC", "HTTP", "operations"], errors.decode()
    assert process.returncode == 0, errors.decode()
