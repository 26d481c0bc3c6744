"""Fetches two WordPress builds and the SQLite driver into .tillsync/wordpress, for the tests of the bridge.

One build is Debian's package, the other the newest release in npm. Only apt and npm are used, by package name.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

from archives import extract_files
from parts import STATE, Part, bring_parts, npm_package, run

BUILDS, BUILD = "@wp-playground/wordpress-builds@0.9.19", "wp-6.5"
PLAYGROUND_CLI = "@wp-playground/cli@3.1.56"
DEBIAN_PACKAGES = ("wordpress", "wordpress-theme-twentytwentythree")
ON_MARIADB, ON_SQLITE = "WordPress 6.1 on MariaDB", "WordPress 6.5 on SQLite"


def debian_wordpress(made: Path, work: Path) -> None:
    """Unpacks Debian's package without installing it, because it depends on a web server. Links to Debian's libraries become files."""
    run("apt-get", "download", "-qq", *DEBIAN_PACKAGES, cwd=work)
    for package in work.glob("*.deb"):
        run("dpkg", "-x", str(package), str(work / "root"), cwd=work)
    unpacked = work / "root/usr/share/wordpress"
    (unpacked / ".htaccess").unlink(missing_ok=True)
    for link in [path for path in unpacked.rglob("*") if path.is_symlink()]:
        # The links are absolute, or relative to the package's installed place in /usr/share.
        installed = os.path.normpath(Path("/usr/share/wordpress") / link.relative_to(unpacked).parent / link.readlink())
        link.unlink()
        shutil.copyfile(installed, link)
    unpacked.rename(made)


def npm_wordpress(made: Path, work: Path) -> None:
    """Unpacks the PHP files from the package's zip, and the scripts, styles and pictures from the folder next to the zip."""
    with npm_package(BUILDS, work) as package:
        wanted = (f"package/src/wordpress/{BUILD}.zip", f"package/public/{BUILD}/")
        extract_files(package, work, lambda name: name.startswith(wanted))
    shutil.move(work / f"package/public/{BUILD}", made)
    with zipfile.ZipFile(work / f"package/src/wordpress/{BUILD}.zip") as php:
        php.extractall(made)
    shutil.rmtree(made / "wp-content/database", ignore_errors=True)
    for leftover in ("wp-config.php", "wp-content/db.php"):
        (made / leftover).unlink(missing_ok=True)
    shutil.rmtree(made / "wp-content/mu-plugins", ignore_errors=True)


def sqlite_driver(made: Path, work: Path) -> None:
    with npm_package(PLAYGROUND_CLI, work) as package:
        extract_files(package, work, lambda name: name == "package/sqlite-database-integration.zip")
    with zipfile.ZipFile(work / "package/sqlite-database-integration.zip") as driver:
        driver.extractall(work / "driver")
    next((work / "driver").rglob("db.copy")).parent.rename(made)


def main() -> None:
    parts = [
        Part("debian", ON_MARIADB, debian_wordpress),
        Part(f"npm-{BUILD}", ON_SQLITE, npm_wordpress),
        Part("sqlite-database-integration", ON_SQLITE, sqlite_driver),
    ]
    bring_parts(parts, STATE / "wordpress")


if __name__ == "__main__":
    main()
