"""The plugin's PHPUnit tests, one item per class. Unit tests run without WordPress; integration and conformance tests in every shop."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from wordpress.harness.phpunit import php_test_files, run_phpunit
from wordpress.harness.shop import Shop


def names(suite: str) -> list[object]:
    """Parameters of a suite. ``/** @group catches:NAME */`` on a method has the effect of `pytest.mark.catches` here."""
    return [pytest.param(file, id=file.stem, marks=caught_by(file)) for file in php_test_files(suite)]


def caught_by(file: Path) -> list[pytest.MarkDecorator]:
    return [pytest.mark.catches(name) for name in re.findall(r"@group catches:([a-z0-9-]+)", file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("php_file", names("unit"))
def test_unit(php_file: Path) -> None:
    assert run_phpunit(php_file, site=None).tests


@pytest.mark.parametrize("php_file", names("integration"))
def test_integration(php_file: Path, wp_site: Shop) -> None:
    assert run_phpunit(php_file, site=wp_site).tests


@pytest.mark.shops("mariadb")
@pytest.mark.parametrize("php_file", names("many"))
def test_many(php_file: Path, wp_site: Shop) -> None:
    """More rows than one call handles. SQLite's driver needs 36 ms an order, and the other suites run the same statements there."""
    assert run_phpunit(php_file, site=wp_site).tests


@pytest.mark.parametrize("php_file", names("conformance"))
def test_conformance(php_file: Path, wp_site: Shop) -> None:
    """Rules of WooCommerce and WordPress that the plugin relies on, for the stand-in and for the real WooCommerce where it is available."""
    assert run_phpunit(php_file, site=wp_site).tests
