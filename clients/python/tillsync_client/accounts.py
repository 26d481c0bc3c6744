"""AccountService and CatalogService: accounts, their settings, tokens, and the catalogue of messages."""

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
    """Accounts, their settings, the shop's connection, and tokens. Methods raise NotFoundError for an unknown account, and
    PermissionDeniedError if the token's role may not call them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = AccountServiceStub(connection.channel)

    async def create_account(self, account_id: str, account: account_pb2.Account) -> account_pb2.Account:
        """Creates an account without a request to till or shop. A repeated call with the same settings returns the account.

        Raises AlreadyExistsError if the account has other settings, and FailedPreconditionError if another account uses the till_id and
        shared_till is not set.
        """
        request = pb.CreateAccountRequest(account_id=account_id, account=account)
        return (await self._connection.call(self._stub.CreateAccount, request)).account

    async def get_account(self, account_id: str) -> account_pb2.Account:
        """The account with its problems and warnings. Its ``has_`` fields say which secrets are set."""
        return (await self._connection.call(self._stub.GetAccount, pb.GetAccountRequest(account_id=account_id))).account

    async def list_accounts(self, *, page_size: int = 0) -> AsyncIterator[account_pb2.Account]:
        """All accounts in ascending order of account_id. Pages of ``page_size`` (0: 50, at most 500) are fetched when needed."""
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
        """Changes only the fields of ``paths`` (``auto_link``, ``epos.api_key``).

        Raises AbortedError for an outdated etag (read the account again). Raises FailedPreconditionError for the till_id of another
        account, or for a linked customer as default customer. Raises InvalidArgumentError (SECRETS_NEEDED) if a new origin comes without
        its secrets.
        """
        request = pb.UpdateAccountRequest(account_id=account_id, account=account, update_mask=FieldMask(paths=paths), etag=etag)
        return await self._connection.call(self._stub.UpdateAccount, request)

    async def update_site_settings(
        self, account_id: str, settings: pb.SiteSettings, paths: Iterable[str], *, etag: str = "", validate_only: bool = False
    ) -> pb.UpdateSiteSettingsResponse:
        """Changes those of the named settings that a merchant may change. With ``validate_only`` it only returns the effect, and without
        paths it only returns the settings. Raises the errors of :meth:`update_account`."""
        request = pb.UpdateSiteSettingsRequest(
            account_id=account_id, settings=settings, update_mask=FieldMask(paths=paths), etag=etag, validate_only=validate_only
        )
        return await self._connection.call(self._stub.UpdateSiteSettings, request)

    async def connect_shop(
        self, account_id: str, *, base_url: str, bridge_secret: str, bridge_version: str = "", rest_url: str = ""
    ) -> pb.ConnectShopResponse:
        """Connects a shop, as its bridge does. The service calls the shop back, so the shop must already accept the secret. Waits up to 90
        seconds. Raises FailedPreconditionError (SHOP_…), with the shop's answer and a remedy, and stores nothing."""
        request = pb.ConnectShopRequest(
            account_id=account_id, base_url=base_url, bridge_secret=bridge_secret, bridge_version=bridge_version, rest_url=rest_url
        )
        return await self._connection.call(self._stub.ConnectShop, request, deadline_seconds=_CHECK_DEADLINE_SECONDS)

    async def disconnect_shop(self, account_id: str) -> pb.DisconnectShopResponse:
        """Removes the bridge's secret, and revokes the SITE token of the call. A repeated call with that token gets the same answer until a
        shop connects again. After that it raises UnauthenticatedError."""
        return await self._connection.call(self._stub.DisconnectShop, pb.DisconnectShopRequest(account_id=account_id))

    async def check_account(self, account_id: str) -> pb.CheckAccountResponse:
        """Tests both sides step by step. Waits up to 90 seconds, and takes half a minute if a side is slow. A failed step is part of the
        answer. Raises ResourceExhaustedError while two checks of the account are running."""
        request = pb.CheckAccountRequest(account_id=account_id)
        return await self._connection.call(self._stub.CheckAccount, request, deadline_seconds=_CHECK_DEADLINE_SECONDS)

    async def create_token(self, role: token_pb2.TokenRole.ValueType, *, account_id: str = "", name: str = "") -> pb.CreateTokenResponse:
        """Creates a token. Each call creates another one, so the client never repeats it. After a lost answer list the tokens, revoke the
        new one and create another."""
        request = pb.CreateTokenRequest(account_id=account_id, role=role, name=name)
        return await self._connection.call(self._stub.CreateToken, request)

    async def list_tokens(self, *, account_id: str = "", page_size: int = 0) -> AsyncIterator[token_pb2.Token]:
        """All tokens in ascending order of token_id, also revoked ones, without secrets. An empty ``account_id`` lists the tokens of the
        roles without an account. Pages of ``page_size`` (0: 50, at most 500) are fetched when needed."""
        request = pb.ListTokensRequest(account_id=account_id, page_size=page_size)
        while True:
            page = await self._connection.call(self._stub.ListTokens, request)
            for token in page.tokens:
                yield token
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def revoke_token(self, token_id: str, *, account_id: str = "") -> token_pb2.Token:
        """Revokes a token. No process accepts it after 5 seconds. A revoked token may be revoked again. Raises NotFoundError for an unknown
        token."""
        request = pb.RevokeTokenRequest(account_id=account_id, token_id=token_id)
        return (await self._connection.call(self._stub.RevokeToken, request)).token


class Catalog:
    """The catalogue of messages."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = CatalogServiceStub(connection.channel)

    async def list_messages(self) -> list[catalog_service_pb2.CatalogMessage]:
        """Every message that an entry can have, with its meaning and remedy."""
        response = await self._connection.call(self._stub.ListMessages, catalog_service_pb2.ListMessagesRequest())
        return list(response.messages)
