"""What the tests of the bridge need beside Debian's programs, brought into .tillsync/wordpress: WordPress twice (Debian's package; the
newest release that npm carries), the SQLite driver for it, and axe-core. Only apt and npm are asked, by package name. What is there is
not brought again. Where something cannot be had, one line says so and which tests are therefore not run; it never fails the build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".tillsync" / "wordpress"
BUILDS, BUILD = "@wp-playground/wordpress-builds@0.9.19", "wp-6.5"
PLAYGROUND_CLI = "@wp-playground/cli@3.1.56"
AXE = "axe-core@4.14.1"
DEBIAN_PACKAGES = ("wordpress", "wordpress-theme-twentytwentythree")


def _run(*command: str, cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=600).stdout


def _npm_package(name: str, work: Path) -> tarfile.TarFile:
    return tarfile.open(work / _run("npm", "pack", "--silent", name, cwd=work).strip().splitlines()[-1])


def debian_wordpress(made: Path, work: Path) -> None:
    """Unpacked, not installed: the package wants a web server. Its links to Debian's libraries become files."""
    _run("apt-get", "download", "-qq", *DEBIAN_PACKAGES, cwd=work)
    for package in work.glob("*.deb"):
        _run("dpkg", "-x", str(package), str(work / "root"), cwd=work)
    unpacked = work / "root/usr/share/wordpress"
    (unpacked / ".htaccess").unlink(missing_ok=True)
    for link in [path for path in unpacked.rglob("*") if path.is_symlink()]:
        # the links are relative within /usr/share, or absolute
        at_home = os.path.normpath(Path("/usr/share/wordpress") / link.relative_to(unpacked).parent / link.readlink())
        link.unlink()
        shutil.copyfile(at_home, link)
    unpacked.rename(made)


def npm_wordpress(made: Path, work: Path) -> None:
    """The zip holds the PHP; the scripts, styles and pictures lie beside it in the package."""
    with _npm_package(BUILDS, work) as package:
        for member in package:
            if member.name == f"package/src/wordpress/{BUILD}.zip" or member.name.startswith(f"package/public/{BUILD}/"):
                package.extract(member, work, filter="data")
    shutil.move(work / f"package/public/{BUILD}", made)
    with zipfile.ZipFile(work / f"package/src/wordpress/{BUILD}.zip") as php:
        php.extractall(made)
    shutil.rmtree(made / "wp-content/database", ignore_errors=True)
    for left in ("wp-config.php", "wp-content/db.php"):
        (made / left).unlink(missing_ok=True)
    shutil.rmtree(made / "wp-content/mu-plugins", ignore_errors=True)


def sqlite_driver(made: Path, work: Path) -> None:
    with _npm_package(PLAYGROUND_CLI, work) as package:
        package.extract("package/sqlite-database-integration.zip", work, filter="data")
    with zipfile.ZipFile(work / "package/sqlite-database-integration.zip") as driver:
        driver.extractall(work / "driver")
    next((work / "driver").rglob("db.copy")).parent.rename(made)


def axe(made: Path, work: Path) -> None:
    with _npm_package(AXE, work) as package:
        package.extract("package/axe.min.js", work, filter="data")
    made.mkdir()
    (work / "package/axe.min.js").rename(made / "axe.min.js")


PARTS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "debian": (debian_wordpress, "the tests of the bridge on Debian's WordPress and MariaDB are not run"),
    f"npm-{BUILD}": (npm_wordpress, "the tests of the bridge on the newest WordPress of npm and SQLite are not run"),
    "sqlite-database-integration": (sqlite_driver, "the tests of the bridge on SQLite are not run"),
    "axe-core": (axe, "the accessibility tests of the bridge are not run"),
}


def main() -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    for name, (bring, without) in PARTS.items():
        if (CACHE / name).exists():
            continue
        with tempfile.TemporaryDirectory(dir=CACHE) as directory:
            work = Path(directory)
            work.chmod(0o755)
            try:
                bring(work / "made", work)
                (work / "made").rename(CACHE / name)
            except (OSError, subprocess.SubprocessError, tarfile.TarError, zipfile.BadZipFile, KeyError, StopIteration) as failure:
                said = (getattr(failure, "stderr", None) or str(failure)).strip().splitlines()
                sys.stdout.write(f"missing: {name} ({said[-1] if said else failure}): {without}\n")


if __name__ == "__main__":
    main()
