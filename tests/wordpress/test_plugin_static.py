"""Static checks of the plugin's files: lint, PHP_CodeSniffer, size, headers, the zip."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from wordpress.harness.kinds import BRIDGE, PHP, PHPCS, ROOT, SiteKind

PHP_FILES = sorted(BRIDGE.rglob("*.php"))
RULES = Path(__file__).parent / "phpcs.xml"


def test_every_file_compiles() -> None:
    """One process compiles all files, as `php -l` compiles one."""
    code = "foreach (array_slice($argv, 1) as $file) { opcache_compile_file($file); echo $file, PHP_EOL; }"
    run = subprocess.run(
        [
            str(PHP),
            "-d",
            "opcache.enable_cli=1",
            "-d",
            "error_reporting=-1",
            "-d",
            "display_errors=stderr",
            "-r",
            code,
            "--",
            *map(str, PHP_FILES),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [str(path) for path in PHP_FILES]
    assert len(PHP_FILES) > 50


def test_code_sniffer_finds_nothing() -> None:
    run = subprocess.run(
        [str(PHPCS), "-q", "--report=emacs", f"--standard={RULES}", str(BRIDGE)], capture_output=True, text=True, timeout=110, check=False
    )
    assert run.stdout.strip() == ""
    assert run.returncode == 0, run.stderr


def test_files_are_small() -> None:
    lines = {path.relative_to(BRIDGE).as_posix(): path.read_text(encoding="utf-8").count("\n") for path in PHP_FILES}
    assert {name: count for name, count in lines.items() if count > 250} == {}
    assert lines["tillsync-bridge.php"] < 100


def test_autoloader_finds_every_class() -> None:
    wrong = []
    for path in (BRIDGE / "src").rglob("*.php"):
        text = path.read_text(encoding="utf-8")
        declared = re.search(r"^(?:final |abstract )*(?:class|interface|trait|enum) (\w+)", text, re.MULTILINE)
        if declared is None:
            continue
        namespace = re.search(r"^namespace ([\w\\]+);", text, re.MULTILINE)
        expected = "\\".join(["Tillsync", "Bridge", *path.relative_to(BRIDGE / "src").parts[:-1]])
        if namespace is None or namespace.group(1) != expected or declared.group(1) != path.stem:
            wrong.append(path.relative_to(BRIDGE).as_posix())
    assert wrong == []


def test_only_the_composition_uses_the_container() -> None:
    """Classes name their dependencies in their constructors. WooCommerce creates `Integration`, which is an exception."""
    asking = [path for path in (BRIDGE / "src").rglob("*.php") if re.search(r"\bServices\b|Plugin::services\(", code_of(path))]
    names = {path.relative_to(BRIDGE / "src").as_posix() for path in asking}
    assert names == {"Services.php", "Plugin.php", "Boot/LazyHooks.php", "Screens/Integration.php"}


def test_every_property_is_declared_and_used() -> None:
    wrong = []
    for path in (BRIDGE / "src").rglob("*.php"):
        code = code_of(path)
        declared = set(re.findall(r"(?:private|public|protected)(?: static)?(?: readonly)? [?\w\\|]+ \$(\w+)", code))
        used = set(re.findall(r"(?:\$this|\$made\(\)|\$routes|\$actions)->(\w+)\b(?!\()", code))
        unused = set(re.findall(r"private readonly [\w\\]+ \$(\w+)", code)) - used
        if unused or (used - declared and " extends " not in code):
            wrong.append((path.name, unused, used - declared))
    assert wrong == []


def code_of(path: Path) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_every_route_has_a_permission_and_tls_is_verified() -> None:
    """Every route has a permission callback, and none is `__return_true`. No code sets sslverify."""
    for path in PHP_FILES:
        text = path.read_text(encoding="utf-8")
        assert "__return_true" not in text, path
        assert "sslverify" not in text, path
        if "register_rest_route(" in text:
            assert "permission_callback" in text, path


def header(text: str, name: str) -> str:
    found = re.search(rf"^[ *]*{name}:\s*(.+)$", text, re.MULTILINE)
    assert found, name
    return found.group(1).strip()


def test_header_and_readme_agree() -> None:
    main = (BRIDGE / "tillsync-bridge.php").read_text(encoding="utf-8")
    readme = (BRIDGE / "readme.txt").read_text(encoding="utf-8")
    assert header(main, "Version") == header(readme, "Stable tag")
    for name in ("Requires at least", "Requires PHP", "License"):
        assert header(main, name) == header(readme, name), name
    assert header(main, "Requires Plugins") == "woocommerce"
    assert header(main, "Text Domain") == "tillsync-bridge"
    assert (BRIDGE / "LICENSE").read_text(encoding="utf-8").lstrip().startswith("GNU GENERAL PUBLIC LICENSE")
    assert "not affiliated" in readme.lower()
    assert "== External services ==" in readme


@pytest.mark.shops("wordpress6.1-mariadb-hpos")
def test_headers_name_only_tested_versions(wp_kind: SiteKind) -> None:
    """The lowest WordPress and PHP are Debian's, on which every run is. The highest, and WooCommerce's, are in the table of results."""
    main = (BRIDGE / "tillsync-bridge.php").read_text(encoding="utf-8")
    readme = (BRIDGE / "readme.txt").read_text(encoding="utf-8")
    table = (ROOT / "docs/bridge/real-woocommerce.md").read_text(encoding="utf-8")

    def ran(name: str) -> str:
        found = re.search(rf"^\| {name} \| (\d+\.\d+)", table, re.MULTILINE)
        assert found, name
        return found.group(1)

    assert header(readme, "Tested up to") == ran("WordPress")
    assert header(main, "WC tested up to") == header(main, "WC requires at least") == ran("WooCommerce")
    core = (wp_kind.core / "wp-includes/version.php").read_text(encoding="utf-8")
    assert f"$wp_version = '{header(main, 'Requires at least')}." in core
    assert PHP.name == f"php{header(main, 'Requires PHP')}" == f"php{ran('PHP')}"


def test_every_hook_constant_and_called_method_is_documented() -> None:
    readme = (BRIDGE / "readme.txt").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in PHP_FILES)
    hooks = set(re.findall(r"(?:do_action|apply_filters)\(\s*'(tillsync_\w+)'", code))
    assert len(hooks) >= 12
    constants = set(re.findall(r"\bTILLSYNC_[A-Z_]+", code))
    assert {name for name in hooks | constants if f"`{name}" not in readme} == set()


def test_update_uri_is_that_of_the_code_and_never_resolves() -> None:
    """Without the header, or with one of wordpress.org, a stranger could register the slug there and replace the plugin."""
    uri = header((BRIDGE / "tillsync-bridge.php").read_text(encoding="utf-8"), "Update URI")
    assert uri == "https://tillsync.invalid/bridge"
    assert f"UPDATE_URI = '{uri}'" in (BRIDGE / "src/Updates/PluginUpdates.php").read_text(encoding="utf-8")
    assert "'update_plugins_tillsync.invalid'" in (BRIDGE / "src/Boot/EveryRequest.php").read_text(encoding="utf-8")


def test_pictures_of_the_readme_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r'src="(docs/[^"]+)"', readme)
    assert pictures
    assert [name for name in pictures if not (ROOT / name).is_file()] == []
    tracked = subprocess.run(["git", "ls-files", "docs"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if tracked.returncode == 0:
        assert sorted(set(pictures) - set(tracked.stdout.split())) == []


def test_texts_use_the_plugins_domain() -> None:
    call = re.compile(
        r"\b(?:__|_e|esc_html__|esc_attr__|esc_html_e|esc_attr_e)\(\s*(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\s*(,\s*'([\w-]+)')?\s*\)"
    )
    foreign = [
        f"{path.relative_to(BRIDGE)}: {found.group(0)}"
        for path in PHP_FILES
        for found in call.finditer(path.read_text(encoding="utf-8"))
        if found.group(2) != "tillsync-bridge"
    ]
    assert foreign == []


def test_zip_contains_only_the_plugin(tmp_path: Path) -> None:
    for target in (tmp_path / "one.zip", tmp_path / "two.zip"):
        subprocess.run([sys.executable, str(ROOT / "scripts/bridge_zip.py"), str(target)], check=True, capture_output=True, timeout=60)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        names = archive.namelist()
    assert all(name.startswith("tillsync-bridge/") for name in names)
    expected = {"tillsync-bridge.php", "readme.txt", "LICENSE", "uninstall.php", "src/autoload.php"}
    assert {f"tillsync-bridge/{name}" for name in expected} <= set(names)
    assert not [name for name in names if "/tests/" in name or "/." in name]
