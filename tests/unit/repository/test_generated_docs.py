"""docs/messages.md and the generated tables of docs/operating/ match the catalogue, the settings and the metrics."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.directories import REPOSITORY
from tillsync_server.adapters.http.webhook_answers import WebhookReason
from tillsync_server.composition.settings import secret_variables, variables
from tillsync_server.composition.settings.setting import file_variable
from tillsync_server.domain.catalogue import CATALOGUE

SCRIPT = REPOSITORY / "scripts" / "generate_docs.py"
sys.path.insert(0, str(SCRIPT.parent))
from generate_docs import all_metrics, messages_page, settings_table  # noqa: E402

OPERATING = {path.name: path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "docs" / "operating").glob("*.md"))}
"""The pages for operators."""


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_generated_documents_are_current() -> None:
    checked = run(SCRIPT, "--check")
    assert checked.returncode == 0, checked.stderr


def test_check_names_each_stale_document_and_generation_updates_it(tmp_path: Path) -> None:
    for folder in ("scripts", "protos", "docs"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    script, messages, settings = (
        tmp_path / "scripts/generate_docs.py",
        tmp_path / "docs/messages.md",
        tmp_path / "docs/operating/settings.md",
    )
    messages.unlink()
    (tmp_path / "protos/tillsync/v1/token.proto").write_text(
        (REPOSITORY / "protos/tillsync/v1/token.proto").read_text().replace("// ", "// As before: ")
    )
    settings.write_text(OPERATING["settings.md"].replace("| `TILLSYNC_LOG_LEVEL` |", "| `TILLSYNC_LOUDNESS` |"))
    checked = run(script, "--check")
    assert checked.returncode == 1
    assert checked.stderr.splitlines() == [
        f"docs/{name}.md: out of date; run: python scripts/generate_docs.py" for name in ("messages", "api-reference", "operating/settings")
    ]
    assert run(script).returncode == 0
    assert "As before: A bearer token" in (tmp_path / "docs/api-reference.md").read_text(encoding="utf-8")
    assert settings.read_text(encoding="utf-8") == OPERATING["settings.md"]
    assert run(script, "--check").returncode == 0


def test_page_has_every_comment_verbatim() -> None:
    page = messages_page()
    for message in CATALOGUE.values():
        assert f"\n> {message.text or '`{response from customer type update/delete}`'}\n" in page
        assert message.meaning in page
        assert message.what_to_do in page


def test_settings_table_has_every_setting() -> None:
    table = "\n".join(settings_table())
    assert [name for name in variables() if f"| `{name}` |" not in table] == []
    assert [name for name in secret_variables() if file_variable(name) not in table] == []


def test_operators_pages_have_every_variable_of_the_code() -> None:
    sources = [path for folder in ("server", "clients") for path in (REPOSITORY / folder).rglob("*.py")]
    known = {name for path in sources for name in re.findall(r"\bTILLSYNC_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8"))}
    plugin = {"TILLSYNC_CONNECT"}
    assert {name for name in known - plugin if name not in "".join(OPERATING.values())} == set()


def test_operators_pages_name_only_existing_metrics() -> None:
    served = set()
    for family in all_metrics().registry.collect():
        served |= {family.name, f"{family.name}_total", f"{family.name}_bucket", f"{family.name}_count", f"{family.name}_sum"}
    named = set(re.findall(r"\b(?:tillsync|process)_[a-z_]+[a-z]\b", "".join(OPERATING.values()))) - {"tillsync_server"}
    assert {name for name in named if name not in served} == set()


@pytest.mark.parametrize("reason", list(WebhookReason))
def test_operators_pages_have_every_webhook_reason(reason: WebhookReason) -> None:
    assert f"`{reason}`" in OPERATING["monitoring.md"]
