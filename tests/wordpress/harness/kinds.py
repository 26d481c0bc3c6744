"""Kinds of shops for the tests. Each kind is one WordPress, one database, one WooCommerce and one order store.

WORDPRESS_DIR (a core) and WOOCOMMERCE_DIR (the plugin's folder) add the real WooCommerce: with order tables, with orders as posts, and with
compatibility mode.
"""

from __future__ import annotations

import os
import re
from ctypes.util import find_library
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BRIDGE = Path(os.environ.get("TILLSYNC_TEST_BRIDGE_DIR", ROOT / "wp-bridge"))
CACHE = ROOT / ".tillsync" / "wordpress"
SQLITE_DRIVER = CACHE / "sqlite-database-integration"
AXE = Path(str(files("axe_playwright_python") / "axe.min.js"))
STAND_IN = Path(__file__).resolve().parents[1] / "stand_in"
PHP, PHPUNIT, PHPCS = Path("/usr/bin/php8.2"), Path("/usr/bin/phpunit"), Path("/usr/bin/phpcs")
CHROMIUM = Path("/usr/bin/chromium-headless-shell")
"""Chromium without windows. It starts with half the work of the full program."""
MARIADBD = Path("/usr/sbin/mariadbd")


@cache
def browser_at_hand() -> bool:
    """Tells whether Chromium and the library for Playwright's driver are installed."""
    return CHROMIUM.exists() and find_library("atomic") is not None


class OrderStore(Enum):
    TABLES = "tables"
    """HPOS: orders have their own tables."""
    POSTS = "posts"


class DatabaseKind(Enum):
    MARIADB = "mariadb"
    SQLITE = "sqlite"


@dataclass(frozen=True)
class SiteKind:
    name: str
    core: Path
    woocommerce: Path
    database: DatabaseKind
    orders: OrderStore
    compatibility: bool = False
    """WooCommerce's compatibility mode: it keeps the orders in posts too, equal to those of the tables."""

    @property
    def real(self) -> bool:
        return self.woocommerce != STAND_IN

    @property
    def build(self) -> str:
        """Name of the missing requirement when this kind is not available, for the run's closing lines."""
        if self.real:
            return "the real WooCommerce"
        return "WordPress 6.1 on MariaDB" if self.database is DatabaseKind.MARIADB else "WordPress 6.5 on SQLite"

    @property
    def available(self) -> bool:
        return self.core.is_dir() and PHP.exists() and (MARIADBD if self.database is DatabaseKind.MARIADB else SQLITE_DRIVER).exists()


DEBIAN = SiteKind("wordpress6.1-mariadb-hpos", CACHE / "debian", STAND_IN, DatabaseKind.MARIADB, OrderStore.TABLES)
NPM = SiteKind("wordpress6.5-sqlite-posts", CACHE / "npm-wp-6.5", STAND_IN, DatabaseKind.SQLITE, OrderStore.POSTS)


def _header(file: Path, pattern: str) -> str:
    found = re.search(pattern, file.read_text(encoding="utf-8")[:4000])
    return found.group(1) if found else "?"


def real_version() -> str | None:
    """Returns the version of the real WooCommerce and its WordPress, e.g. ``10.5.1 on WordPress 6.9.1``, or None if the variables are not
    set.
    """
    core, woocommerce = os.environ.get("WORDPRESS_DIR"), os.environ.get("WOOCOMMERCE_DIR")
    if not core or not woocommerce:
        return None
    plugin = _header(Path(woocommerce) / "woocommerce.php", r"Version:\s*(\S+)")
    return f"{plugin} on WordPress {_header(Path(core) / 'wp-includes/version.php', r'wp_version = .([^;]+).;')}"


def _real_kinds() -> list[SiteKind]:
    if real_version() is None:
        return []
    core, plugin = Path(os.environ["WORDPRESS_DIR"]), Path(os.environ["WOOCOMMERCE_DIR"])
    return [
        SiteKind("real-mariadb-hpos", core, plugin, DatabaseKind.MARIADB, OrderStore.TABLES),
        SiteKind("real-mariadb-posts", core, plugin, DatabaseKind.MARIADB, OrderStore.POSTS),
        SiteKind("real-mariadb-compatibility", core, plugin, DatabaseKind.MARIADB, OrderStore.TABLES, compatibility=True),
    ]


REAL_KINDS = _real_kinds()
KINDS = [DEBIAN, NPM, *REAL_KINDS]
