"""The folder of a site: a WordPress core by hard links, its own wp-content, and the configuration."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from wordpress.harness.kinds import BRIDGE, CACHE, SQLITE_DRIVER, DatabaseKind, SiteKind
from wordpress.harness.mariadb import PASSWORD, USER, MariaDb

PHP_FILES = Path(__file__).parent / "php"
CONFIGURATION = "wp-config.php"


def link_or_copy(source: str, target: str) -> None:
    """Links a file of the core. A hard link keeps the file's own path for __DIR__ and takes no space."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def lay(directory: Path, kind: SiteKind, database: MariaDb | None, database_name: str, *, bridge: Path = BRIDGE) -> None:
    for entry in kind.core.iterdir():
        if entry.is_dir() and entry.name != "wp-content":
            shutil.copytree(entry, directory / entry.name, copy_function=link_or_copy)
        elif entry.suffix == ".php" and entry.name.startswith(("wp-", "index", "xmlrpc")) and entry.name != CONFIGURATION:
            link_or_copy(str(entry), str(directory / entry.name))
    content = directory / "wp-content"
    for folder in ("plugins", "mu-plugins", "themes", "uploads", "injected", "database", "languages"):
        (content / folder).mkdir(parents=True)
    _lay_theme(kind, content / "themes")
    (content / "plugins/woocommerce").symlink_to(kind.woocommerce)
    (content / "plugins/tillsync-bridge").symlink_to(bridge)
    shutil.copyfile(PHP_FILES / "test-harness.php", content / "mu-plugins/test-harness.php")
    if kind.database is DatabaseKind.SQLITE:
        drop_in = (SQLITE_DRIVER / "db.copy").read_text(encoding="utf-8")
        drop_in = drop_in.replace("{SQLITE_IMPLEMENTATION_FOLDER_PATH}", str(SQLITE_DRIVER))
        (content / "db.php").write_text(drop_in.replace("{SQLITE_PLUGIN}", "sqlite-database-integration/load.php"), encoding="utf-8")
    configure(directory, database, database_name)


def _lay_theme(kind: SiteKind, themes: Path) -> None:
    """Copies the newest of WordPress's own themes that this core or another one has, or writes a minimal theme."""
    found: list[Path] = []
    for core in (kind.core, *sorted(CACHE.glob("npm-wp-*")), CACHE / "debian"):
        found = found or sorted(path for path in (core / "wp-content/themes").glob("twentytwenty*") if (path / "style.css").exists())
    if found:
        shutil.copytree(found[-1], themes / "shop-theme", copy_function=link_or_copy)
        return
    bare = themes / "shop-theme"
    bare.mkdir()
    (bare / "style.css").write_text("/*\nTheme Name: Bare\n*/\n", encoding="utf-8")
    (bare / "functions.php").write_text("<?php add_theme_support( 'woocommerce' ); add_theme_support( 'title-tag' );\n", encoding="utf-8")
    page = "<!doctype html><html <?php language_attributes(); ?>><head><meta charset='utf-8'><?php wp_head(); ?></head>"
    page += (
        "<body <?php body_class(); ?>><?php wp_body_open(); ?><main><?php while ( have_posts() ) { the_post(); the_content(); } ?></main>"
    )
    (bare / "index.php").write_text(page + "<?php wp_footer(); ?></body></html>\n", encoding="utf-8")


def configure(directory: Path, database: MariaDb | None, database_name: str, constants: dict[str, str | bool | int] | None = None) -> None:
    """Writes wp-config.php. The site calls only loopback addresses, runs cron only on request, and is a production site."""
    known: dict[str, str | bool | int] = {
        "DB_NAME": database_name,
        "DB_USER": USER,
        "DB_PASSWORD": PASSWORD,
        "DB_HOST": database.host if database else "",
        "DB_CHARSET": "utf8mb4",
        "DB_COLLATE": "",
        **{f"{name}_{part}": f"{name.lower()}-{part.lower()}-of-the-tests" for name in _KEYS for part in ("KEY", "SALT")},
        "WP_DEBUG": True,
        "WP_DEBUG_LOG": str(directory / "wp-content/debug.log"),
        "WP_DEBUG_DISPLAY": False,
        "SCRIPT_DEBUG": False,
        "DISABLE_WP_CRON": True,
        "AUTOMATIC_UPDATER_DISABLED": True,
        "WP_AUTO_UPDATE_CORE": False,
        "WP_HTTP_BLOCK_EXTERNAL": True,
        "WP_ACCESSIBLE_HOSTS": "127.0.0.1,localhost",
        "WP_DEFAULT_THEME": "shop-theme",
        "WP_MEMORY_LIMIT": "256M",
        **({} if database else {"DB_ENGINE": "sqlite", "DB_DIR": str(directory / "wp-content/database"), "DB_FILE": ".ht.sqlite"}),
        **(constants or {}),
    }
    lines = [f"define( '{name}', {_literal(value)} );" for name, value in known.items()]
    text = "\n".join(["<?php", *lines, "$table_prefix = 'shop_';", "defined( 'ABSPATH' ) || define( 'ABSPATH', __DIR__ . '/' );"])
    (directory / CONFIGURATION).write_text(text + "\nrequire_once ABSPATH . 'wp-settings.php';\n", encoding="utf-8")


_KEYS = ("AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE")


def _literal(value: str | bool | int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
