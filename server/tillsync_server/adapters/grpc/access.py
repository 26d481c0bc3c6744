"""Who may call what, one row a method, which a test proves total over the contract; and what only a few may
call at once."""

from __future__ import annotations

from tillsync_server.domain.enums import Role

SITE, SERVICE, SUPPORT, ADMIN = Role.SITE, Role.SERVICE, Role.SUPPORT, Role.ADMIN

ADMIN_ONLY = frozenset({ADMIN})
OPERATORS = frozenset({SUPPORT, ADMIN})
WORKERS = frozenset({SITE, SERVICE, ADMIN})
"""Who changes things in the course of business. A SITE token does so in its own account only."""
EVERYBODY = frozenset(Role)

_PACKAGE = "/tillsync.v1."
ACCESS: dict[str, frozenset[Role]] = {
    _PACKAGE + method: roles
    for roles, methods in (
        (
            WORKERS,
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
                "AccountService/UpdateSiteSettings",
                "AccountService/ConnectShop",
                "AccountService/DisconnectShop",
                "PrivacyService/ExportPerson",
                "PrivacyService/ErasePerson",
            ),
        ),
        (
            EVERYBODY,
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
        (OPERATORS, ("AccountService/GetAccount", "AccountService/ListAccounts")),
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
        ("LinkService/SearchEposCustomers", 2),
        # a few reads each, for several people who decide about held orders
        ("LinkService/ListCandidates", 4),
        ("LinkService/ResolveOrderCustomer", 4),
        ("PrivacyService/ExportPerson", 4),
        ("PrivacyService/ErasePerson", 4),
    )
}
"""Methods that ask a till or a shop while the caller waits, and how many calls of each one account may have under way."""

WAITING = frozenset({_PACKAGE + "CustomerSyncService/MatchOrderCustomer"})
"""Methods that wait for others' work while the caller waits, besides those of AT_ONCE."""

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
    )
)
"""Methods that read, write or answer hundreds of rows."""

REVOKED_TOO = frozenset({_PACKAGE + "AccountService/DisconnectShop"})
"""Methods that a SITE token may call after it was revoked: this one revokes it, and a repeated call answers as the first did."""

CREATES_ACCOUNT = frozenset({_PACKAGE + "AccountService/CreateAccount"})
"""Their account_id names an account that is not there yet."""
