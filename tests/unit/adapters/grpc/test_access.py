"""Access rights: every method has a row, and the rows match the documented rights."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pool
from support.grpc_server import STUBS
from tillsync_server.adapters.grpc.access import ACCESS, CREATES_ACCOUNT
from tillsync_server.adapters.grpc.servicers.unbuilt import UNBUILT
from tillsync_server.domain.enums import Role

METHODS = {
    f"/tillsync.v1.{service}/{method.name}"
    for service in STUBS
    for method in descriptor_pool.Default().FindServiceByName(f"tillsync.v1.{service}").methods
}

# the documented rights, written independently of the table
SITE_MAY = {
    "SyncCustomer", "BatchSyncCustomers", "SyncCustomerType", "MatchOrderCustomer", "BatchMatchOrderCustomers", "BatchGetOrderMatches",
    "ListQueue", "GetQueueEntry", "WatchQueue", "RetryQueueEntries", "DismissQueueEntries",
    "ListLinks", "GetLink", "CreateLink", "DeleteLink", "ListCandidates", "SearchEposCustomers", "ResolveOrderCustomer", "ReportShopUsers",
    "ListMessages", "ExplainCustomer", "ExplainOrder", "CheckAccount", "UpdateSiteSettings", "ConnectShop", "DisconnectShop",
    "ExportPerson", "ErasePerson", "ScheduleOutboxDrain", "GetBridgeUpdate", "ReadBridgePackage",
}  # fmt: skip
SUPPORT_MAY = {
    "BatchGetOrderMatches", "ListQueue", "GetQueueEntry", "WatchQueue", "RetryQueueEntries", "ListLinks", "GetLink", "ListCandidates",
    "SearchEposCustomers", "ListMessages", "ExplainCustomer", "ExplainOrder", "CheckAccount", "GetAccount", "ListAccounts",
    "ListBridgeReleases", "ListBridgeVersions",
}  # fmt: skip


def test_access_table_has_exactly_the_methods_of_the_contract() -> None:
    assert set(ACCESS) == METHODS
    assert CREATES_ACCOUNT <= METHODS
    assert UNBUILT <= METHODS


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(Role.SITE, SITE_MAY), (Role.SERVICE, SITE_MAY), (Role.SUPPORT, SUPPORT_MAY)],
    ids=["site", "service", "support"],
)
def test_role_may_call_exactly_its_documented_methods(role: Role, allowed: set[str]) -> None:
    assert {path.rpartition("/")[2] for path, roles in ACCESS.items() if role in roles} == allowed


def test_admin_may_call_every_method() -> None:
    assert all(Role.ADMIN in roles for roles in ACCESS.values())
