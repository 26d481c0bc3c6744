"""AccountService and CatalogService: accounts, their settings, tokens, and the words of the queues."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from google.protobuf.field_mask_pb2 import FieldMask
from tillsync.v1 import account_pb2, catalog_service_pb2, token_pb2
from tillsync.v1 import account_service_pb2 as pb
from tillsync.v1.account_service_pb2_grpc import AccountServiceStub
from tillsync.v1.catalog_service_pb2_grpc import CatalogServiceStub

from tillsync_client.connection import Connection

_CHECK_DEADLINE_SECONDS = 90.0


class Accounts:
    """Accounts, their settings, the shop's connection, and tokens. NotFoundError: no such account; PermissionDeniedError: the token's
    role may not call it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = AccountServiceStub(connection.channel)

    async def create_account(self, account_id: str, account: account_pb2.Account) -> account_pb2.Account:
        """Make an account; till and shop are not asked. Repeated with the same settings it answers the account. AlreadyExistsError: the
        account has other settings. FailedPreconditionError: another account uses the till_id, and shared_till is not set."""
        request = pb.CreateAccountRequest(account_id=account_id, account=account)
        return (await self._connection.call(self._stub.CreateAccount, request)).account

    async def get_account(self, account_id: str) -> account_pb2.Account:
        """The account with its problems and warnings; ``has_`` fields stand for its secrets."""
        return (await self._connection.call(self._stub.GetAccount, pb.GetAccountRequest(account_id=account_id))).account

    async def list_accounts(self, *, page_size: int = 0) -> AsyncIterator[account_pb2.Account]:
        """By ascending account_id; pages of ``page_size`` (0: 50, at most 500) are fetched as they are needed."""
        request = pb.ListAccountsRequest(page_size=page_size)
        while True:
            page = await self._connection.call(self._stub.ListAccounts, request)
            for account in page.accounts:
                yield account
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def update_account(
        self, account_id: str, account: account_pb2.Account, paths: Iterable[str], *, etag: str = ""
    ) -> pb.UpdateAccountResponse:
        """Change the fields named by ``paths`` (``auto_link``, ``epos.api_key``), and only those. AbortedError: the etag is outdated, read
        the account again. FailedPreconditionError: a till_id of another account, or a linked customer as default customer.
        InvalidArgumentError (SECRETS_NEEDED): another origin needs its secrets in the same call."""
        request = pb.UpdateAccountRequest(account_id=account_id, account=account, update_mask=FieldMask(paths=paths), etag=etag)
        return await self._connection.call(self._stub.UpdateAccount, request)

    async def update_site_settings(
        self, account_id: str, settings: pb.SiteSettings, paths: Iterable[str], *, etag: str = "", validate_only: bool = False
    ) -> pb.UpdateSiteSettingsResponse:
        """Change the named settings a merchant may change; with ``validate_only`` say what that would do, and without paths read them.
        Errors as of :meth:`update_account`."""
        request = pb.UpdateSiteSettingsRequest(
            account_id=account_id, settings=settings, update_mask=FieldMask(paths=paths), etag=etag, validate_only=validate_only
        )
        return await self._connection.call(self._stub.UpdateSiteSettings, request)

    async def connect_shop(
        self, account_id: str, *, base_url: str, bridge_secret: str, bridge_version: str = "", rest_url: str = ""
    ) -> pb.ConnectShopResponse:
        """What the bridge does: the service calls the shop back, which must accept the secret by then. Waits up to 90 seconds.
        FailedPreconditionError (SHOP_…): what the shop answered, and what to do; nothing is stored then."""
        request = pb.ConnectShopRequest(
            account_id=account_id, base_url=base_url, bridge_secret=bridge_secret, bridge_version=bridge_version, rest_url=rest_url
        )
        return await self._connection.call(self._stub.ConnectShop, request, deadline_seconds=_CHECK_DEADLINE_SECONDS)

    async def disconnect_shop(self, account_id: str) -> pb.DisconnectShopResponse:
        """Drop the bridge's secret; a SITE token that calls this is revoked. Repeated with that token it answers the same, until a shop
        connects again: then UnauthenticatedError."""
        return await self._connection.call(self._stub.DisconnectShop, pb.DisconnectShopRequest(account_id=account_id))

    async def check_account(self, account_id: str) -> pb.CheckAccountResponse:
        """Test both sides step by step; waits up to 90 seconds, and takes half a minute when a side is slow. A failed step is part of the
        answer. ResourceExhaustedError: two checks of the account are under way."""
        request = pb.CheckAccountRequest(account_id=account_id)
        return await self._connection.call(self._stub.CheckAccount, request, deadline_seconds=_CHECK_DEADLINE_SECONDS)

    async def create_token(self, role: token_pb2.TokenRole.ValueType, *, account_id: str = "", name: str = "") -> pb.CreateTokenResponse:
        """Each call makes another token, so it is never repeated: after a lost answer, list, revoke and make another."""
        request = pb.CreateTokenRequest(account_id=account_id, role=role, name=name)
        return await self._connection.call(self._stub.CreateToken, request)

    async def list_tokens(self, *, account_id: str = "", page_size: int = 0) -> AsyncIterator[token_pb2.Token]:
        """By ascending token_id, revoked ones too, without secrets; ``account_id`` empty: those of the roles without an account. Pages of
        ``page_size`` (0: 50, at most 500) are fetched as they are needed."""
        request = pb.ListTokensRequest(account_id=account_id, page_size=page_size)
        while True:
            page = await self._connection.call(self._stub.ListTokens, request)
            for token in page.tokens:
                yield token
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def revoke_token(self, token_id: str, *, account_id: str = "") -> token_pb2.Token:
        """Make a token useless everywhere within 5 seconds. A revoked one again is fine. NotFoundError: no such token."""
        request = pb.RevokeTokenRequest(account_id=account_id, token_id=token_id)
        return (await self._connection.call(self._stub.RevokeToken, request)).token


class Catalog:
    """The words of the queues."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = CatalogServiceStub(connection.channel)

    async def list_messages(self) -> list[catalog_service_pb2.CatalogMessage]:
        """Every message an entry can carry, with its meaning and remedy."""
        response = await self._connection.call(self._stub.ListMessages, catalog_service_pb2.ListMessagesRequest())
        return list(response.messages)
