"""Every log call in the source has allowed keys, and the source of each value has been reviewed.

A new log call or a new value fails here until it is in ``REVIEWED``. Values there hold no text of a person, a till, a shop, a caller or a
driver, and no message of an exception. Numbers, counts, flags, ids and words of our source are allowed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

import pytest
import structlog
import tillsync_cli
import tillsync_client
import tillsync_sandbox
import tillsync_server
from support.logs import CapturedLines, captured_lines
from tillsync_server.adapters.observability.logs import SAFE_TEXT_KEYS, Kind

PACKAGES = (tillsync_server, tillsync_sandbox, tillsync_client, tillsync_cli)
OBSERVABILITY = "adapters/observability/"

NUMBERS = frozenset(
    {
        *("bridge_api", "failures", "fields", "grpc_port", "http_port", "http_status", "lanes", "lapses", "made", "next_try_seconds"),
        *(
            "open_files",
            "operations_port",
            "port",
            "retained",
            "returncode",
            "seconds",
            "serves",
            "times",
            "tls",
            "transaction",
            "tries",
            "works",
        ),
    }
)
"""Keys of numbers and flags: a text under them does not reach the line."""
COUNTS = "person_erased"
"""The one event with keys of its own: ``…_count`` for each category of records."""

REVIEWED: dict[str, set[str]] = {
    # ids made or stored by tillsync
    "account_id": {
        *("account_id", "lease.account_id", "lane.lease.account_id", "self.lane.lease.account_id", "run.entry.account_id"),
        *("entry.account_id", "present.account_id", "shop.account_id"),
    },
    "entry_id": {"str(entry.entry_id)", "str(run.entry.entry_id)", "[str(run.entry.entry_id) for run in runs]"},
    "event_id": {"event.event_id"},
    "till_id": {"sale.till_id"},
    "token_id": {"stored.token_id", "other.token_id"},
    "transaction": {"sale.transaction_id"},  # the transaction number of the till
    "incident": {"incident"},  # random number of the service
    # words of the source
    "method": {"path", "method"},  # the RPC name, from the service's table
    "during": {"path", "self.name", "what"},  # RPC; recurring work; statement of a lane
    "task": {"task.get_name()", "self._name", "self.name", "what"},  # the source names tasks, some with an account id
    "step": {"name"},  # a step of a stop
    "what": {"what", "table.name", "line", "kind"},  # a limit of the service; a table of the service; what a migration waits for
    "type": {"event.type.value", "message.DESCRIPTOR.full_name"},
    "kind": {"entry.kind.name", "wrong.name.lower()"},
    "cause": {"None if error.cause is None else error.cause.name"},
    "signal": {"number.name"},
    "route": {"'none' if route is None else route.canonical"},  # the pattern, without the values of its parts
    "version": {"EMAIL_FORM", "version('tillsync')", "binaries.major"},
    "revisions": {"applied"},
    "partitions": {"dropped"},
    "sqlstate": {"error.sqlstate"},
    # places in the source
    "where": {"_origin_of(error)", "foreign.described()", "_name_of(args.object)"},  # the second one has roles and programs of the operator
    "stack": {"stack"},  # only the places of the traceback are written
    # sentences of the source, and of PostgreSQL without values (embedded/exit_reason.py)
    "reason": {"foreign.remedy()", "self._reason()", "sentence", "few_files", "problem.sentence"},
    # values of this process
    "address": {"self._settings.listen"},
    "path": {"problem.file", "str(path)", "str(self._certificate)", "str(self._program)"},
    # texts of a shop that have the expected form
    "field": {"result.field"},  # one of the sent fields (woo/bridge_events.py)
    "bridge_version": {"status.bridge_version"},
    "wordpress": {"status.wordpress"},
    "woocommerce": {"status.woocommerce"},
    # numbers and flags
    "bridge_api": {"status.api"},
    "grpc_port": {"self.grpc_port"},
    "http_port": {"self.http_port"},
    "operations_port": {"self.operations_port"},
    "open_files": {"open_files()"},
    "http_status": {"error.status", "first_error.status"},
    "lanes": {"found"},
    "lapses": {"lease.lapses"},
    "made": {"made"},
    "port": {"self.port"},
    "returncode": {"self._process.wait()"},
    "seconds": {"seconds"},
    "serves": {"self._serves"},
    "times": {"times"},
    "tries": {"failures"},
    "works": {"self._works"},
}
"""By key: the expressions that give its values, as they stand in the source."""

OF_OTHERS = frozenset(
    {
        *("email", "emails", "first_name", "last_name", "full_name", "display_name", "phone", "company", "comment", "note", "notes"),
        *("label", "subject", "subject_label", "body", "body_text", "text", "message", "msg", "args", "payload", "content", "detail"),
        *("details", "token", "secret", "password", "authorization", "headers", "cookies", "remote", "peer", "home_url", "base_url"),
        *("customer", "order", "request", "response", "row", "record"),
    }
)
"""Names of what people, tills, shops and callers wrote, and of what drivers say."""
OURS_ALL_THE_SAME = {
    "_name_of(args.object)",  # a function of the source whose finalizer failed
    "message.DESCRIPTOR.full_name",  # the name of a proto type
}

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


@dataclass(frozen=True)
class LogCall:
    place: str
    level: str
    event: str
    values: tuple[tuple[str, ast.expr], ...]
    has_counts: bool


@cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    return tuple(_sources())


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        assert package.__file__ is not None
        root = Path(package.__file__).parent
        for path in sorted(root.rglob("*.py")):
            yield f"{root.name}/{path.relative_to(root)}", ast.parse(path.read_text(encoding="utf-8"))


def is_log(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "_LOG"


def log_calls() -> list[LogCall]:
    found = []
    for name, module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_log(node.func):
                place = f"{name}:{node.lineno}"
                assert len(node.args) == 1, f"{place}: an event and keys, no further values"
                event = node.args[0]
                assert isinstance(event, ast.Constant), f"{place}: the event's name is a literal"
                assert re.fullmatch(r"[a-z]+(_[a-z]+)*", str(event.value)), f"{place}: an event's name has small letters and underscores"
                values = tuple((one.arg, one.value) for one in node.keywords if one.arg not in (None, "exc_info"))
                has_counts = any(one.arg is None for one in node.keywords)
                found.append(LogCall(place, node.func.attr, str(event.value), values, has_counts))
    return found


CALLS = log_calls()
EVENTS = sorted({call.event for call in CALLS})


def is_plain(value: ast.expr) -> bool:
    """Literals of ours, names of classes, counts and comparisons hold no text of others."""
    match value:
        case ast.Constant() | ast.Compare():
            return True
        case ast.Attribute(value=ast.Call(func=ast.Name(id="type")), attr="__name__"):
            return True
        case ast.Call(func=ast.Name(id="len" | "round" | "sum")):
            return True
    return False


def test_collector_finds_the_known_calls() -> None:
    assert len(CALLS) > 45
    assert {"entry_failed", "event_refused", "embedded_postgres_exited", "limit_hit", "started", "uncaught_exception"} <= set(EVENTS)


def test_loggers_are_used_only_by_calls_of_their_levels() -> None:
    """Each logger is a module's ``_LOG``, and is used by calls of its levels only: not bound, not handed on, not given another name."""
    strays = []
    for name, module in sources():
        called = {id(node.func.value) for node in ast.walk(module) if isinstance(node, ast.Call) and is_log(node.func)}
        for node in ast.walk(module):
            match node:
                case ast.Name(id="_LOG", ctx=ast.Load()) if id(node) not in called:
                    strays.append(f"{name}:{node.lineno}: _LOG is handed on")
                case ast.Attribute() if is_log(node) and node.attr not in LEVELS:
                    strays.append(f"{name}:{node.lineno}: _LOG.{node.attr}")
                case ast.Assign(targets=[ast.Name(id=target)], value=ast.Call(func=ast.Attribute(attr="get_logger" | "getLogger"))):
                    is_ours = target == "_LOG" and ast.unparse(node.value) == "structlog.get_logger(__name__)"
                    if not is_ours and OBSERVABILITY not in name:
                        strays.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    assert not strays


def test_service_writes_only_through_its_log() -> None:
    """The service uses no logging record, warning, traceback or print. Only the command line's console writes for people."""
    strays = []
    for name, module in sources():
        if OBSERVABILITY in name:
            continue
        for node in ast.walk(module):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if re.fullmatch(
                    r"print|warnings\.warn|logging\.\w+|traceback\.print_\w+|sys\.std(out|err)\.write|\w+\.bind(_contextvars)?", called
                ):
                    strays.append(f"{name}:{node.lineno}: {called}")
            if isinstance(node, ast.Import | ast.ImportFrom) and "logging" in {each.name for each in node.names} | {
                getattr(node, "module", "")
            }:
                strays.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    assert not strays


def test_every_key_is_allowed() -> None:
    unknown = [f"{call.place}: {key}" for call in CALLS for key, _ in call.values if key not in SAFE_TEXT_KEYS and key not in NUMBERS]
    assert not unknown, "a key of texts goes into SAFE_TEXT_KEYS, one of numbers into NUMBERS"
    assert not NUMBERS & SAFE_TEXT_KEYS.keys()
    assert {call.event for call in CALLS if call.has_counts} == {COUNTS}


def test_every_value_is_reviewed() -> None:
    seen: dict[str, set[str]] = {}
    missing = []
    for call in CALLS:
        for key, value in call.values:
            if not is_plain(value):
                written = ast.unparse(value)
                seen.setdefault(key, set()).add(written)
                if written not in REVIEWED.get(key, ()):
                    missing.append(f"{call.place} {call.event}: {key!r}: {{{written!r}}}")
    assert not missing, "look at where these values come from, then add them to REVIEWED"
    assert seen == REVIEWED, "REVIEWED names values that nothing logs any more"


def test_no_value_is_text_of_others() -> None:
    """By the names in the expressions, so that REVIEWED cannot be extended by mistake."""
    strays = []
    for call in CALLS:
        for key, value in call.values:
            names = {node.attr for node in ast.walk(value) if isinstance(node, ast.Attribute)}
            names |= {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
            written = ast.unparse(value)
            whole = {ast.unparse(node) for node in ast.walk(value) if isinstance(node, ast.Call)}
            if names & OF_OTHERS and written not in OURS_ALL_THE_SAME:
                strays.append(f"{call.place}: {key}={written}")
            if any(isinstance(node, ast.JoinedStr) for node in ast.walk(value)) or any(
                re.match(r"repr\(|str\((error|exc)", one) for one in whole
            ):
                strays.append(f"{call.place}: {key}={written} is put together")
    assert not strays
    assert not (SAFE_TEXT_KEYS.keys() | NUMBERS) & OF_OTHERS


# each event through the chain that `serve` configures

EXAMPLES: dict[Kind, Any] = {
    Kind.ID: "order:1042:7",
    Kind.WORD: "tillsync.v1.QueueService/ListQueue",
    Kind.FIELD: "held_count",
    Kind.VERSION: "10.3.0-rc.1",
    Kind.SENTENCE: 'could not write lock file "postmaster.pid": No space left on device',
}
OF_KEYS: dict[str, Any] = {
    "where": "lane_runner.py:120 run",
    "stack": '  File "/srv/lane_runner.py", line 120, in run\n    raise KeyError(who)\n',
    "entry_id": ["0190a6e1-1111-7222-8333-444455556666"],
    "partitions": ["entry_history_2026w01"],
}
DIRT = (
    "Ada Byron",
    "Ada",
    "ada@example.test",
    "ada%40example.test",
    "Ada Byron <ada@bücher.example>",
    "+44 1200 000000",
    "tls_" + "a1B2" * 11,
    "ck_" + "0123456789abcdef" * 2,
    "Basic QWRhOnNlY3JldA==",
    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdef",
    "postgresql://ada:hunter2@db.example.test/x",
    "consumer_secret=hunter2",
    'Key (email)=(ada@example.test) already exists, {"password": "hunter2"}',
    "Åsa Ödegård \u202e\u0000\x1b[31m",
    "x" * 100_000 + " ada@example.test",
)
TRACES = ("ada@", "ada%40", "bücher", "hunter2", "a1B2", "0123456789abcdef", "QWRhOnNlY3JldA", "eyJ", "\\u0000", "\\u001b", "\\u202e")
"""Of no kind of key may they reach a line. Names and phones cannot be recognised in a sentence: there they are kept away by REVIEWED."""


@pytest.fixture
def lines() -> Iterator[CapturedLines]:
    with captured_lines() as made:
        yield made


def written(call: LogCall, **values: Any) -> None:
    log = structlog.get_logger(f"tillsync_server.{Path(call.place).stem}")
    try:
        raise ValueError("Ada Byron, ada@example.test, hunter2")
    except ValueError:
        getattr(log, call.level)(call.event, **values)


def example_of(key: str) -> Any:
    return 7 if key in NUMBERS else OF_KEYS.get(key, EXAMPLES[SAFE_TEXT_KEYS[key]])


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{Path(call.place).name}-{call.event}")
def test_event_keeps_its_facts(call: LogCall, lines: CapturedLines) -> None:
    counts = {"history_count": 3} if call.has_counts else {}
    values = {key: example_of(key) for key, _ in call.values} | counts
    written(call, **values)
    [line] = lines.all()
    assert "dropped" not in line
    assert line["event"] == call.event
    expected = {key: ["lane_runner.py:120 run"] if key == "stack" else value for key, value in values.items()}
    assert {key: line[key] for key in values} == expected
    assert ("exception" in line) == (call.level == "exception")
    assert "Ada" not in lines.text


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{Path(call.place).name}-{call.event}")
def test_event_drops_values_of_other_kinds(call: LogCall, lines: CapturedLines) -> None:
    for dirt in DIRT:
        written(call, **{key: dirt for key, _ in call.values}, email=dirt, customer={"name": dirt}, count=dirt)
    assert len(lines.all()) == len(DIRT)
    assert not [trace for trace in TRACES if trace in lines.text]
    for dirt, line in zip(DIRT, lines.all(), strict=True):
        assert {"email", "customer", "count"} <= set(line["dropped"])
        numbers = {key for key, _ in call.values if key in NUMBERS}
        assert numbers <= set(line["dropped"])
        if " " in dirt:
            strict = {key for key, _ in call.values if SAFE_TEXT_KEYS.get(key) in (Kind.ID, Kind.FIELD, Kind.VERSION)}
            assert strict <= set(line["dropped"]), "a person's name is no id, no field and no version"
        assert len(str(line)) < 5_000
