"""The plugin's PHPUnit tests, a test class an item: units without WordPress; integration and conformance in every shop."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from wordpress.harness.phpunit import php_test_files, run_phpunit
from wordpress.harness.shop import Shop


def names(suite: str) -> list[object]:
    """A test method says ``/** @group catches:NAME */`` for what `pytest.mark.catches` says here."""
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
    """More rows than one call takes. SQLite's driver needs 36 ms an order, and the statements run there in the other suites."""
    assert run_phpunit(php_file, site=wp_site).tests


@pytest.mark.parametrize("php_file", names("conformance"))
def test_conformance(php_file: Path, wp_site: Shop) -> None:
    """What the notes say of WooCommerce and WordPress holds for the stand-in, and for the real one where it is at hand."""
    assert run_phpunit(php_file, site=wp_site).tests
