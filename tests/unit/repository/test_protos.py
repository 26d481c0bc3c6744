"""The contract is documented throughout, passes buf, and has the numbers of the domain's enums."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor
from support.directories import REPOSITORY
from tillsync.v1 import (
    account_pb2,
    account_service_pb2,
    bridge_service_pb2,
    catalog_service_pb2,
    customer_sync_service_pb2,
    diagnosis_service_pb2,
    link_pb2,
    link_service_pb2,
    order_pb2,
    privacy_service_pb2,
    queue_entry_pb2,
    queue_service_pb2,
    token_pb2,
    vocabulary_pb2,
)
from tillsync_server.domain import enums
from tillsync_server.domain.link import LinkOrigin

FILES: tuple[FileDescriptor, ...] = tuple(
    module.DESCRIPTOR
    for module in (
        account_pb2,
        account_service_pb2,
        bridge_service_pb2,
        catalog_service_pb2,
        customer_sync_service_pb2,
        diagnosis_service_pb2,
        link_pb2,
        link_service_pb2,
        order_pb2,
        privacy_service_pb2,
        queue_entry_pb2,
        queue_service_pb2,
        token_pb2,
        vocabulary_pb2,
    )
)
SERVICES = {service.name: service for file in FILES for service in file.services_by_name.values()}


@cache
def _place_imports() -> None:
    subprocess.run([sys.executable, str(REPOSITORY / "scripts" / "generate_protos.py"), "--imports"], check=True, timeout=60)


def _buf(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    _place_imports()
    buf = Path(sysconfig.get_path("scripts")) / "buf"
    return subprocess.run([str(buf), *arguments], cwd=REPOSITORY, capture_output=True, check=False, timeout=60)


def test_every_proto_file_is_checked_here() -> None:
    on_disk = {path.relative_to(REPOSITORY / "protos").as_posix() for path in (REPOSITORY / "protos").rglob("*.proto")}
    assert {file.name for file in FILES} == on_disk


def test_buf_lint_is_clean() -> None:
    run = _buf("lint")
    assert run.returncode == 0, run.stdout.decode() + run.stderr.decode()


def test_buf_format_is_clean() -> None:
    run = _buf("format", "-d", "--exit-code")
    assert run.returncode == 0, run.stdout.decode() + run.stderr.decode()


def test_everything_has_a_comment() -> None:
    run = _buf("build", "-o", "-#format=binpb")
    assert run.returncode == 0, run.stderr.decode()
    image = descriptor_pb2.FileDescriptorSet.FromString(run.stdout)
    ours = [file for file in image.file if file.package == "tillsync.v1"]
    assert {file.name for file in ours} == {file.name for file in FILES}
    bare = []
    for file in ours:
        commented = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
        bare += [f"{file.name}: {name}" for path, name in _documented_things(file) if len(commented.get(path, "")) < 4]
    assert not bare, "without a comment: " + ", ".join(bare)


def _documented_things(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    """Path and name of everything that needs a comment, by the field numbers of descriptor.proto."""
    for index, message in enumerate(file.message_type):
        yield from _things_of_message(message, (4, index))
    for index, enum in enumerate(file.enum_type):
        yield from _things_of_enum(enum, (5, index))
    for index, service in enumerate(file.service):
        yield (6, index), service.name
        for rpc_index, rpc in enumerate(service.method):
            yield (6, index, 2, rpc_index), f"{service.name}.{rpc.name}"


def _things_of_message(message: descriptor_pb2.DescriptorProto, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], str]]:
    if message.options.map_entry:
        return
    yield path, message.name
    for index, field in enumerate(message.field):
        yield (*path, 2, index), f"{message.name}.{field.name}"
    # protoc makes an implicit oneof for each optional field, which has no comment
    synthetic = {field.oneof_index for field in message.field if field.proto3_optional}
    for index, oneof in enumerate(message.oneof_decl):
        if index not in synthetic:
            yield (*path, 8, index), f"{message.name}.{oneof.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _things_of_message(nested, (*path, 3, index))
    for index, enum in enumerate(message.enum_type):
        yield from _things_of_enum(enum, (*path, 4, index))


def _things_of_enum(enum: descriptor_pb2.EnumDescriptorProto, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], str]]:
    yield path, enum.name
    for index, value in enumerate(enum.value):
        yield (*path, 2, index), value.name


SHARED_ENUMS: Sequence[tuple[EnumDescriptor, type[IntEnum], str]] = (
    (vocabulary_pb2.Queue.DESCRIPTOR, enums.Queue, "QUEUE"),
    (vocabulary_pb2.EntryKind.DESCRIPTOR, enums.EntryKind, "ENTRY_KIND"),
    (vocabulary_pb2.EntryState.DESCRIPTOR, enums.EntryState, "ENTRY_STATE"),
    (vocabulary_pb2.Priority.DESCRIPTOR, enums.Priority, "PRIORITY"),
    (vocabulary_pb2.CustomerTypeAction.DESCRIPTOR, enums.CustomerTypeAction, "CUSTOMER_TYPE_ACTION"),
    (vocabulary_pb2.Outcome.DESCRIPTOR, enums.Outcome, "OUTCOME"),
    (vocabulary_pb2.Side.DESCRIPTOR, enums.Side, "SIDE"),
    (account_pb2.MatchEmail.DESCRIPTOR, enums.MatchEmail, "MATCH_EMAIL"),
    (account_pb2.GuestPolicy.DESCRIPTOR, enums.GuestPolicy, "GUEST_POLICY"),
    (account_pb2.TillApiVersion.DESCRIPTOR, enums.TillApiVersion, "TILL_API_VERSION"),
    (account_pb2.TillTypeField.DESCRIPTOR, enums.TillTypeField, "TILL_TYPE_FIELD"),
    (account_pb2.ProblemReason.DESCRIPTOR, enums.ProblemReason, "PROBLEM_REASON"),
    (account_pb2.WarningReason.DESCRIPTOR, enums.WarningReason, "WARNING_REASON"),
    (catalog_service_pb2.MessageClass.DESCRIPTOR, enums.MessageClass, "MESSAGE_CLASS"),
    (catalog_service_pb2.Responsible.DESCRIPTOR, enums.Responsible, "RESPONSIBLE"),
    (token_pb2.TokenRole.DESCRIPTOR, enums.Role, "TOKEN_ROLE"),
    (link_pb2.LinkOrigin.DESCRIPTOR, LinkOrigin, "LINK_ORIGIN"),
    (link_pb2.LinkGround.DESCRIPTOR, enums.LinkGround, "LINK_GROUND"),
    (order_pb2.EmailConfirmation.DESCRIPTOR, enums.EmailConfirmation, "EMAIL_CONFIRMATION"),
    (account_pb2.TrustedAccounts.DESCRIPTOR, enums.TrustedAccounts, "TRUSTED_ACCOUNTS"),
)


@pytest.mark.parametrize(("proto", "domain", "prefix"), SHARED_ENUMS, ids=[row[2] for row in SHARED_ENUMS])
def test_enum_numbers_equal_the_domains(proto: EnumDescriptor, domain: type[IntEnum], prefix: str) -> None:
    expected = {f"{prefix}_UNSPECIFIED": 0} | {f"{prefix}_{member.name}": member.value for member in domain}
    assert {value.name: value.number for value in proto.values} == expected


def test_every_domain_enum_is_in_the_contract() -> None:
    closed_lists = {kind for kind in vars(enums).values() if isinstance(kind, type) and kind.__module__ == enums.__name__}
    assert closed_lists - {enums.StoredCode} <= {domain for _, domain, _ in SHARED_ENUMS}


def _behaviours(field: FieldDescriptor) -> list[int]:
    options: Any = field.GetOptions()
    return list(options.Extensions[field_behavior_pb2.field_behavior])


def _requests() -> Iterator[Descriptor]:
    for service in SERVICES.values():
        for method in service.methods:
            yield method.input_type


def test_every_request_carries_its_account() -> None:
    # these requests concern all accounts, and tokens of the roles above SITE have no account
    without = {"ListMessagesRequest", "ListAccountsRequest", "ListBridgeReleasesRequest", "ListBridgeVersionsRequest"}
    conditional = {"CreateTokenRequest", "ListTokensRequest", "RevokeTokenRequest"}
    for request in _requests():
        field = request.fields_by_name.get("account_id")
        if request.name in without:
            assert field is None, request.name
            continue
        assert field is not None, request.name
        assert field.number == 1, request.name
        assert (field_behavior_pb2.REQUIRED in _behaviours(field)) is (request.name not in conditional), request.name


def test_required_field_has_a_default_that_means_missing() -> None:
    """The server refuses a required field with its default value, so no bool and no output-only field is required."""
    for file in FILES:
        for message in file.message_types_by_name.values():
            for field in message.fields:
                behaviours = _behaviours(field)
                if field_behavior_pb2.REQUIRED in behaviours:
                    assert field.type != FieldDescriptor.TYPE_BOOL, field.full_name
                    assert field_behavior_pb2.OUTPUT_ONLY not in behaviours, field.full_name


def test_secrets_are_input_only_with_a_has_field() -> None:
    secrets = {
        account_pb2.EposSettings.DESCRIPTOR: ("api_key", "api_secret", "webhook_key", "webhook_secret"),
        account_pb2.ShopSettings.DESCRIPTOR: ("consumer_key", "consumer_secret", "bridge_secret"),
    }
    for message, names in secrets.items():
        fields = message.fields_by_name
        for name in names:
            assert _behaviours(fields[name]) == [field_behavior_pb2.INPUT_ONLY], name
            assert _behaviours(fields[f"has_{name}"]) == [field_behavior_pb2.OUTPUT_ONLY], name
            assert fields[f"has_{name}"].type == FieldDescriptor.TYPE_BOOL


def test_listing_and_bulk_verbs_share_one_filter() -> None:
    """A filter that lists entries must be able to requeue exactly these."""
    listing = {field.name: field for field in customer_sync_service_pb2.ListQueueRequest.DESCRIPTOR.fields}
    paging = {"account_id", "page_size", "page_token", "view", "with_counts"}
    shared = {field.name: field for field in queue_entry_pb2.QueueFilter.DESCRIPTOR.fields}
    assert set(shared) == set(listing) - paging
    for name, field in shared.items():
        assert (field.type, field.is_repeated) == (listing[name].type, listing[name].is_repeated), name


@pytest.mark.parametrize(
    ("service", "rpcs"),
    [
        (
            "CustomerSyncService",
            "SyncCustomer BatchSyncCustomers SyncCustomerType MatchOrderCustomer BatchMatchOrderCustomers BatchGetOrderMatches ListQueue",
        ),
        ("QueueService", "GetQueueEntry RetryQueueEntries DismissQueueEntries WatchQueue"),
        ("LinkService", "ListLinks GetLink CreateLink DeleteLink ListCandidates SearchEposCustomers ResolveOrderCustomer ReportShopUsers"),
        (
            "AccountService",
            "CreateAccount GetAccount ListAccounts UpdateAccount UpdateSiteSettings CheckAccount ConnectShop DisconnectShop "
            "CreateToken ListTokens RevokeToken",
        ),
        ("PrivacyService", "ExportPerson ErasePerson"),
        ("DiagnosisService", "ExplainCustomer ExplainOrder"),
        ("CatalogService", "ListMessages"),
        ("BridgeService", "ScheduleOutboxDrain GetBridgeUpdate ReadBridgePackage ListBridgeReleases ListBridgeVersions"),
    ],
)
def test_services_have_exactly_these_methods(service: str, rpcs: str) -> None:
    """Removing or renaming a method breaks every deployed client, so it must be intended."""
    assert [method.name for method in SERVICES[service].methods] == rpcs.split()
    assert len(SERVICES) == 8
