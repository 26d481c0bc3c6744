"""docs/api-reference.md lists each method, message, field and value of the contract, and each error reason of the service."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator

import pytest
from google.protobuf import descriptor_pool
from support.directories import REPOSITORY
from support.grpc_server import STUBS
from tillsync_server.adapters.grpc.status import CODES
from tillsync_server.domain import errors

SERVER = REPOSITORY / "server" / "tillsync_server"
sys.path.insert(0, str(REPOSITORY / "scripts"))
from error_reasons import REASONS  # noqa: E402

PAGE = (REPOSITORY / "docs" / "api-reference.md").read_text(encoding="utf-8")
ERRORS = {error.__name__: error for error in CODES}


def section(heading: str) -> str:
    """The text below ``heading`` up to the next heading."""
    return re.split(r"^#", PAGE.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def row(heading: str, name: str) -> str:
    found = re.search(rf"^\| `{name}` \|.*$", section(heading), re.MULTILINE)
    assert found, f"{heading} has no row {name}"
    return found[0]


@pytest.mark.parametrize("service", STUBS)
def test_page_has_every_method_with_its_messages_and_fields(service: str) -> None:
    for method in descriptor_pool.Default().FindServiceByName(f"tillsync.v1.{service}").methods:
        assert re.search(rf"^\| \[{method.name}\]\(#{method.name.lower()}\) \| .+ \| .*ADMIN \| .+ \|$", PAGE, re.MULTILINE)
        assert "- **Roles.** " in section(f"### {method.name}")
        for message in (method.input_type, method.output_type):
            for field in message.fields:
                assert row(f"#### {message.name}", field.name)


@pytest.mark.parametrize("message", ["Account", "EposSettings", "Order", "QueueEntry", "QueueFilter", "Link", "Token"])
def test_page_has_every_field_of_shared_messages(message: str) -> None:
    for field in descriptor_pool.Default().FindMessageTypeByName(f"tillsync.v1.{message}").fields:
        assert row(f"### {message}", field.name)


@pytest.mark.parametrize("enum", ["Outcome", "EntryState", "Queue", "TokenRole"])
def test_page_has_every_enum_value(enum: str) -> None:
    for value in descriptor_pool.Default().FindEnumTypeByName(f"tillsync.v1.{enum}").values:
        assert f"| {value.number} | " in row(f"### {enum}", value.name)


@pytest.mark.parametrize(
    ("heading", "field", "rule"),
    [
        ("#### BatchSyncCustomersRequest", "epos_customer_ids", "required; at most 500 items"),
        ("#### SyncCustomerRequest", "account_id", "required; at most 64 characters; no control characters"),
        ("#### SyncCustomerRequest", "epos_customer_id", "int64 | required; greater than 0"),
        ("#### BatchSyncCustomersResult", "error", "one of `result`"),
        ("### QueueFilter", "states", "at most 6 items; each a defined value but not 0"),
        ("### QueueEntry", "comment", "output only"),
    ],
)
def test_page_has_the_rules_in_words(heading: str, field: str, rule: str) -> None:
    assert f"| {rule} |" in row(heading, field)


def test_every_field_and_value_has_a_comment() -> None:
    assert len(re.findall(r"^\| `", PAGE, re.MULTILINE)) > 400
    assert [line for line in PAGE.splitlines() if line.startswith("| `") and re.search(r"\| *\|$", line) and "RetryInfo" not in line] == []


def reasons_in_the_code() -> Iterator[tuple[str, str]]:
    """The domain error and the reason of each call that makes such an error. A reason may be a constant of a module."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SERVER.rglob("*.py"))]
    constants = {
        target.id: node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)):
        called = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "of" else node.func
        if isinstance(called, ast.Name) and called.id in ERRORS:
            given = next((each.value for each in node.keywords if each.arg == "reason"), None)
            match given:
                case None:
                    yield called.id, ERRORS[called.id].default_reason
                case ast.Constant(value=str(reason)):
                    yield called.id, reason
                case ast.Name(id=name) if name in constants:
                    yield called.id, constants[name]
                case _:
                    yield called.id, ""


def test_reason_table_has_exactly_the_reasons_of_the_code() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for error, reason in reasons_in_the_code():
        found[error].add(reason)
    # Two places compute the reason: CallPlaces from its limits, ConnectShop from the shop's answer.
    places = (SERVER / "adapters" / "grpc" / "call_places.py").read_text(encoding="utf-8")
    shop = (SERVER / "application" / "use_cases" / "upstream_reasons.py").read_text(encoding="utf-8")
    found["ResourceExhausted"] |= set(re.findall(r'"(TOO_MANY_[A-Z_]+)"', places))
    found["FailedPrecondition"] |= set(re.findall(r'"(SHOP_[A-Z_]+)"', shop))
    assert {error for error, reasons in found.items() if "" in reasons} == {"ResourceExhausted", "FailedPrecondition"}
    assert {error: reasons - {""} for error, reasons in found.items()} == {
        error.__name__: set(reasons) for error, reasons in REASONS.items()
    }


def test_page_has_every_reason_with_its_status_code() -> None:
    assert (
        set(REASONS)
        == set(CODES)
        == {each for each in vars(errors).values() if isinstance(each, type) and each.__base__ is errors.RequestError}
    )
    for error, reasons in REASONS.items():
        for reason, meaning in reasons.items():
            assert f"| `{reason}` | {CODES[error].name} | {meaning} |" in PAGE
