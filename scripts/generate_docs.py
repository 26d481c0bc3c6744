#!/usr/bin/env python3
"""Generates ``docs/messages.md``, ``docs/api-reference.md``, and the tables of settings and metrics in ``docs/operating/``.

    python scripts/generate_docs.py            writes outdated pages
    python scripts/generate_docs.py --check    compares only; exits with 1 and names the stale files

The pages in ``docs/operating/`` are written by hand. This script writes only the lines between ``<!-- settings -->`` and
``<!-- /settings -->`` of ``settings.md``, and those between ``<!-- metrics -->`` and ``<!-- /metrics -->`` of ``monitoring.md``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from api_reference import reference_page
from generate_protos import ROOT, contract, place_imports
from tillsync_server.adapters.observability.metrics import Metrics
from tillsync_server.adapters.postgres.maintenance.db_health import QueueSample
from tillsync_server.application.engine.lane_statements import WorkerCounters
from tillsync_server.application.events.sender import EventCounters
from tillsync_server.composition.settings import load_settings, setting_lines
from tillsync_server.domain.catalogue import CATALOGUE, RESPONSE_TEMPLATE, Message
from tillsync_server.domain.enums import EntryKind, EntryState, MessageClass, Queue, Responsible

DOCS = ROOT / "docs"
MESSAGES, REFERENCE = DOCS / "messages.md", DOCS / "api-reference.md"
SETTINGS, MONITORING = DOCS / "operating" / "settings.md", DOCS / "operating" / "monitoring.md"

_QUEUES = {
    Queue.CUSTOMERS: "Customers Queue: Epos Now → WooCommerce",
    Queue.ORDERS: "Orders Queue: WooCommerce → Epos Now",
}
_KINDS = {
    EntryKind.CUSTOMER: "a till customer",
    EntryKind.CUSTOMER_TYPE: "a customer type",
    EntryKind.ORDER_CUSTOMER: "the customer of an order",
}
_STATES = {
    EntryState.PENDING: "The entry waits for its next attempt. The service makes at most 8 attempts, over about a day.",
    EntryState.PROCESSED: "The service has done the work.",
    EntryState.SKIPPED: "There was nothing to do. The comment says why.",
    EntryState.HELD: "The entry waits for a person.",
    EntryState.FAILED: "All attempts are used up. A person retries the entry once the cause is mended.",
    EntryState.DISMISSED: "A person has closed the entry. It keeps the comment that it had.",
}
_RESPONSIBLE = {
    Responsible.MERCHANT: "The merchant, in the data and the links",
    Responsible.SHOP_HOST: "The host of the shop, in server, plugins and firewall",
    Responsible.TILL: "Epos Now",
    Responsible.SERVICE: "The operator of tillsync",
}


def messages_page() -> str:
    """Returns the text of ``docs/messages.md``."""
    lines = [
        "# The comments, and what to do",
        "",
        "Every entry of a queue has a comment. This page lists every comment, word by word. `scripts/generate_docs.py` writes the page",
        "from `server/tillsync_server/domain/catalogue.py`; `tillsync messages` and the call `ListMessages` give the same table.",
        "How to find an entry: [support.md](support.md).",
        "",
        "An entry whose till or shop has a problem waits. It keeps its last comment, or has none yet. `tillsync queue list` and the queues",
        "page of WordPress show the problem above the entries.",
        "",
        "| State | Meaning |",
        "|---|---|",
        *(f"| {state.name} | {meaning} |" for state, meaning in _STATES.items()),
    ]
    for queue, title in _QUEUES.items():
        messages = [CATALOGUE[outcome] for outcome in sorted(CATALOGUE) if queue in _queues(CATALOGUE[outcome])]
        lines += ["", f"## {title}", "", "| Comment | State | What to do |", "|---|---|---|"]
        lines += [f"| {_text(each)} | {_states(each)} | [{each.outcome.name}](#{each.outcome.name.lower()}) |" for each in messages]
        for message in messages:
            lines += ["", *_section(message)]
    return "\n".join(lines) + "\n"


def _section(message: Message) -> Iterable[str]:
    return (
        f"### {message.outcome.name}",
        "",
        f"> {_text(message)}",
        "",
        *(() if message.text else ("The comment is the answer of Epos Now or of the shop itself. It has no fixed text.", "")),
        f"- **What it means.** {message.meaning}",
        f"- **What to do.** {message.what_to_do}",
        *((f"- **Who can act.** {_RESPONSIBLE[message.responsible]}.",) if message.message_class is not MessageClass.DONE else ()),
        f"- **Entry.** It is about {' or '.join(_KINDS[kind] for kind in message.kinds)}, and is {_states(message)}.",
        f"- **Code.** `{message.outcome.name}` in the CLI, `OUTCOME_{message.outcome.name}` ({message.outcome.value}) in the API.",
    )


def _queues(message: Message) -> set[Queue]:
    return {kind.queue for kind in message.kinds}


def _text(message: Message) -> str:
    return message.text or f"`{RESPONSE_TEMPLATE}`"


def _states(message: Message) -> str:
    *others, last = (state.name for state in message.states)
    return f"{', '.join(others)} or {last}" if others else last


def settings_table() -> list[str]:
    """Returns a row for each setting, as `tillsync settings` lists it."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for line in setting_lines(load_settings({}), {}):
        unit = f" {line.unit}" if line.unit and not line.default.endswith(line.unit) else ""
        rows.append(f"| `{line.variable}` | {_cell(line.default)}{unit} | {_cell(line.meaning)} |")
    return rows


def metrics_table() -> list[str]:
    """Returns a row for each metric that a process serves, with its HELP line."""
    rows = ["| Metric | Meaning |", "|---|---|"]
    families = [family for family in all_metrics().registry.collect() if family.name.startswith("tillsync_")]
    for family in sorted(families, key=lambda each: each.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows.append(f"| `{name}` | {_cell(family.documentation)} |")
    return rows


def all_metrics() -> Metrics:
    """Returns the metrics that `tillsync serve` registers with TLS and a worker."""
    metrics = Metrics("0")
    metrics.watch_worker(WorkerCounters())
    metrics.watch_events(EventCounters())
    metrics.watch_certificate(time.time)
    metrics.queues_sampled(QueueSample(live_entries=0, lanes=0, leased=0, ready=0, paused=0, with_problem=0, oldest_ready_seconds=0.0))
    return metrics


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def with_table(page: Path, name: str, rows: Iterable[str]) -> str:
    """Returns the text of ``page`` with ``rows`` between its two markers ``name``. Raises ValueError if a marker is missing or repeated."""
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{page.name} needs {begin.strip()} and {end.strip()}, once each")
    head, _, rest = text.partition(begin)
    return head + begin + "".join(f"{row}\n" for row in rows) + end + rest.partition(end)[2]


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate docs/messages.md, docs/api-reference.md and the tables of docs/operating/.")
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 and name the stale files")
    check = parser.parse_args().check
    place_imports(ROOT)
    wanted = {
        MESSAGES: messages_page(),
        REFERENCE: reference_page(contract()),
        SETTINGS: with_table(SETTINGS, "settings", settings_table()),
        MONITORING: with_table(MONITORING, "metrics", metrics_table()),
    }
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(DOCS.parent)}: out of date; run: python scripts/generate_docs.py", file=sys.stderr)  # noqa: T201
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
