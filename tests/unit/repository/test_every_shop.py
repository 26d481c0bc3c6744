"""`make test-shops` (tests/wordpress/every_shop.py): which pairs it finds, and what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from wordpress import every_shop
from wordpress.every_shop import Pair, Results, main, pairs_below

PARTS = ("wordpress/wp-includes/version.php", "woocommerce/woocommerce.php", "woocommerce/vendor/autoload_packages.php")
JUNIT = """<testsuites><testsuite>
<testcase classname="tests.wordpress.test_shop_orders" name="test_a[real-mariadb-hpos]"/>
<testcase classname="tests.wordpress.test_shop_orders" name="test_b[Some-real-mariadb-hpos]"><failure message="no"/></testcase>
<testcase classname="tests.wordpress.test_shop_orders" name="test_a[real-mariadb-compatibility]"/>
<testcase classname="tests.wordpress.test_shop_orders" name="test_c[real-mariadb-posts]"><error message="no"/></testcase>
</testsuite></testsuites>"""


def pair(directory: Path, name: str, parts: tuple[str, ...] = PARTS) -> None:
    for part in parts:
        path = directory / name / part
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_pairs_are_in_the_order_of_their_version_numbers(tmp_path: Path) -> None:
    for name in ("11.0.1-7.1", "8.2.2-6.4", "10.9.4-6.9"):
        pair(tmp_path, name)
    (tmp_path / "notes.txt").touch()
    assert [(found.name, found.lacking) for found in pairs_below(tmp_path)] == [("8.2.2-6.4", ""), ("10.9.4-6.9", ""), ("11.0.1-7.1", "")]


def test_results_count_each_order_store(tmp_path: Path) -> None:
    (tmp_path / "run.xml").write_text(JUNIT, encoding="utf-8")
    results = Results.of(tmp_path / "run.xml")
    assert str(results) == "hpos 1/2, posts 0/1, compatibility 1/1"
    assert results.failed == ("test_shop_orders::test_b[Some-real-mariadb-hpos]", "test_shop_orders::test_c[real-mariadb-posts]")


@pytest.mark.parametrize("given", [None, "no/such/folder", ""])
def test_without_pairs_one_line_says_what_is_missing(
    given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(every_shop.VARIABLE, raising=False)
    if given is not None:
        monkeypatch.setenv(every_shop.VARIABLE, given and str(tmp_path / given))
    assert main([]) == 2
    [line] = capsys.readouterr().out.splitlines()
    assert "set TILLSYNC_SHOPS_DIR to a folder with pairs NAME/wordpress and NAME/woocommerce" in line


def test_worst_exit_code_counts_and_an_unusable_pair_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pair(tmp_path, "8.2.2-6.4")
    pair(tmp_path, "9.3.3-6.7", PARTS[:2])
    ran: list[tuple[str, str, list[str]]] = []

    def run(given: Pair, only: str, arguments: list[str]) -> tuple[int, str]:
        ran.append((given.name, only, arguments))
        return 0, f"{given.name}: all"

    monkeypatch.setattr(every_shop, "run", run)
    monkeypatch.setattr(every_shop, "LOGS", tmp_path / "logs")
    monkeypatch.setenv(every_shop.VARIABLE, str(tmp_path))
    assert main(["--only", "browser", "-n", "4"]) == 2
    assert ran == [("8.2.2-6.4", "browser", ["-n", "4"])]
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["8.2.2-6.4: all", "9.3.3-6.7: woocommerce/vendor/autoload_packages.php is missing"]
