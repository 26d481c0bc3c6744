"""The rights of tokens: the roles (site, service, support, admin) that may call each method. Also the methods with own limits or rules.

A test proves that ACCESS covers the contract.
"""

from __future__ import annotations

from tillsync_server.domain.enums import Role

SITE, SERVICE, SUPPORT, ADMIN = Role.SITE, Role.SERVICE, Role.SUPPORT, Role.ADMIN

ADMIN_ONLY = frozenset({ADMIN})
OPERATORS = frozenset({SUPPORT, ADMIN})
WRITERS = frozenset({SITE, SERVICE, ADMIN})
"""Roles that change data in daily work. A SITE token changes only its own account."""
ALL_ROLES = frozenset(Role)

_PACKAGE = "/tillsync.v1."
ACCESS: dict[str, frozenset[Role]] = {
    _PACKAGE + method: roles
    for roles, methods in (
        (
            WRITERS,
            (
                "CustomerSyncService/SyncCustomer",
                "CustomerSyncService/BatchSyncCustomers",
                "CustomerSyncService/SyncCustomerType",
                "CustomerSyncService/MatchOrderCustomer",
                "CustomerSyncService/BatchMatchOrderCustomers",
                "QueueService/DismissQueueEntries",
                "LinkService/CreateLink",
                "LinkService/DeleteLink",
                "LinkService/ResolveOrderCustomer",
                "LinkService/ReportShopUsers",
                "BridgeService/ScheduleOutboxDrain",
                "BridgeService/GetBridgeUpdate",
                "BridgeService/ReadBridgePackage",
                "AccountService/UpdateSiteSettings",
                "AccountService/ConnectShop",
                "AccountService/DisconnectShop",
                "PrivacyService/ExportPerson",
                "PrivacyService/ErasePerson",
            ),
        ),
        (
            ALL_ROLES,
            (
                "CustomerSyncService/BatchGetOrderMatches",
                "CustomerSyncService/ListQueue",
                "QueueService/GetQueueEntry",
                "QueueService/RetryQueueEntries",
                "QueueService/WatchQueue",
                "LinkService/ListLinks",
                "LinkService/GetLink",
                "LinkService/ListCandidates",
                "LinkService/SearchEposCustomers",
                "AccountService/CheckAccount",
                "DiagnosisService/ExplainCustomer",
                "DiagnosisService/ExplainOrder",
                "CatalogService/ListMessages",
            ),
        ),
        (
            OPERATORS,
            (
                "AccountService/GetAccount",
                "AccountService/ListAccounts",
                "BridgeService/ListBridgeReleases",
                "BridgeService/ListBridgeVersions",
            ),
        ),
        (
            ADMIN_ONLY,
            (
                "AccountService/CreateAccount",
                "AccountService/UpdateAccount",
                "AccountService/CreateToken",
                "AccountService/ListTokens",
                "AccountService/RevokeToken",
            ),
        ),
    )
    for method in methods
}

AT_ONCE: dict[str, int] = {
    _PACKAGE + method: most
    for method, most in (
        ("AccountService/CheckAccount", 2),
        ("AccountService/ConnectShop", 2),
        ("AccountService/UpdateSiteSettings", 4),
        ("LinkService/SearchEposCustomers", 2),
        # each makes a few reads, and several people may decide about held orders at the same time
        ("LinkService/ListCandidates", 4),
        ("LinkService/ResolveOrderCustomer", 4),
        ("PrivacyService/ExportPerson", 4),
        ("PrivacyService/ErasePerson", 4),
    )
}
"""Methods that ask a till or a shop while the caller waits, and the concurrent calls of each that one account may have."""

WAITING = frozenset({_PACKAGE + "CustomerSyncService/MatchOrderCustomer"})
"""Methods besides those of AT_ONCE that wait for other work while the caller waits."""

HEAVY = frozenset(
    _PACKAGE + method
    for method in (
        "CustomerSyncService/BatchSyncCustomers",
        "CustomerSyncService/BatchMatchOrderCustomers",
        "CustomerSyncService/BatchGetOrderMatches",
        "CustomerSyncService/ListQueue",
        "QueueService/RetryQueueEntries",
        "QueueService/DismissQueueEntries",
        "LinkService/ListLinks",
        "LinkService/ReportShopUsers",
        "AccountService/ListAccounts",
        "BridgeService/ListBridgeVersions",
    )
)
"""Methods that read, write or return hundreds of rows."""

ALLOWS_REVOKED = frozenset({_PACKAGE + "AccountService/DisconnectShop"})
"""Methods that accept a revoked SITE token. DisconnectShop revokes its own token, and a repeated call must return the first answer."""

CREATES_ACCOUNT = frozenset({_PACKAGE + "AccountService/CreateAccount"})
"""Methods whose account_id names an account that does not exist yet."""
