"""AccountService: accounts, their settings, their check, and tokens."""

from __future__ import annotations

from typing import Any, NoReturn

from tillsync.v1 import account_service_pb2, account_service_pb2_grpc

from tillsync_server.adapters.grpc.access import OPERATORS
from tillsync_server.adapters.grpc.field_checks import word
from tillsync_server.adapters.grpc.messages.accounts import account_given, check_response, fill_account, fill_effect
from tillsync_server.adapters.grpc.messages.tokens import account_or_none, create_token_response, fill_token
from tillsync_server.application.use_cases.account_check import AccountCheck
from tillsync_server.application.use_cases.account_settings import AccountSettings
from tillsync_server.application.use_cases.authentication import Authenticator
from tillsync_server.application.use_cases.token_desk import TokenDesk
from tillsync_server.domain.errors import InvalidArgument, NotYetImplemented
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.vocabulary import Role


class AccountServicer(account_service_pb2_grpc.AccountServiceServicer):
    """``authenticator``: who calls decides whether a check may name the till_ids of other accounts. None: it never does."""

    def __init__(
        self, settings: AccountSettings, check: AccountCheck, tokens: TokenDesk, authenticator: Authenticator | None = None
    ) -> None:
        self._settings = settings
        self._check = check
        self._tokens = tokens
        self._authenticator = authenticator

    async def CreateAccount(  # noqa: N802
        self, request: account_service_pb2.CreateAccountRequest, context: Any
    ) -> account_service_pb2.CreateAccountResponse:
        response = account_service_pb2.CreateAccountResponse()
        fill_account(response.account, await self._settings.create(account_given(request.account_id, request.account)))
        return response

    async def GetAccount(  # noqa: N802
        self, request: account_service_pb2.GetAccountRequest, context: Any
    ) -> account_service_pb2.GetAccountResponse:
        response = account_service_pb2.GetAccountResponse()
        fill_account(response.account, await self._settings.get(AccountId(request.account_id)))
        return response

    async def ListAccounts(  # noqa: N802
        self, request: account_service_pb2.ListAccountsRequest, context: Any
    ) -> account_service_pb2.ListAccountsResponse:
        page = await self._settings.list_accounts(request.page_size, request.page_token)
        response = account_service_pb2.ListAccountsResponse(next_page_token=page.next_page_token)
        for account in page.accounts:
            fill_account(response.accounts.add(), account)
        return response

    async def UpdateAccount(  # noqa: N802
        self, request: account_service_pb2.UpdateAccountRequest, context: Any
    ) -> account_service_pb2.UpdateAccountResponse:
        given = account_given(request.account_id, request.account)
        change = await self._settings.update(given, tuple(request.update_mask.paths), request.etag)
        response = account_service_pb2.UpdateAccountResponse()
        fill_account(response.account, change.account)
        fill_effect(response.effect, change.effect)
        response.effect.SetInParent()
        return response

    async def UpdateSiteSettings(  # noqa: N802
        self, request: account_service_pb2.UpdateSiteSettingsRequest, context: Any
    ) -> account_service_pb2.UpdateSiteSettingsResponse:
        _not_yet("UpdateSiteSettings comes with the bridge: use UpdateAccount")

    async def CheckAccount(  # noqa: N802
        self, request: account_service_pb2.CheckAccountRequest, context: Any
    ) -> account_service_pb2.CheckAccountResponse:
        may_read_all = self._is_operator(context)
        return check_response(await self._check.run(AccountId(request.account_id), tells_other_tills=may_read_all))

    async def ConnectShop(  # noqa: N802
        self, request: account_service_pb2.ConnectShopRequest, context: Any
    ) -> account_service_pb2.ConnectShopResponse:
        _not_yet("ConnectShop comes with the bridge: use UpdateAccount")

    async def DisconnectShop(  # noqa: N802
        self, request: account_service_pb2.DisconnectShopRequest, context: Any
    ) -> account_service_pb2.DisconnectShopResponse:
        _not_yet("DisconnectShop comes with the bridge: use UpdateAccount")

    async def CreateToken(  # noqa: N802
        self, request: account_service_pb2.CreateTokenRequest, context: Any
    ) -> account_service_pb2.CreateTokenResponse:
        role = word(Role, request.role)
        if role is None:
            raise InvalidArgument.of("role", "is required: what the token may do")
        return create_token_response(await self._tokens.create(role, account_or_none(request.account_id), request.name))

    async def ListTokens(  # noqa: N802
        self, request: account_service_pb2.ListTokensRequest, context: Any
    ) -> account_service_pb2.ListTokensResponse:
        page = await self._tokens.list_tokens(account_or_none(request.account_id), request.page_size, request.page_token)
        response = account_service_pb2.ListTokensResponse(next_page_token=page.next_page_token)
        for token in page.tokens:
            fill_token(response.tokens.add(), token)
        return response

    async def RevokeToken(  # noqa: N802
        self, request: account_service_pb2.RevokeTokenRequest, context: Any
    ) -> account_service_pb2.RevokeTokenResponse:
        response = account_service_pb2.RevokeTokenResponse()
        fill_token(response.token, await self._tokens.revoke(account_or_none(request.account_id), request.token_id))
        return response

    def _is_operator(self, context: Any) -> bool:
        """The interceptor has just authenticated the call, so its caller is in the cache; if not any more, the answer says less."""
        authorization = next((value for key, value in context.invocation_metadata() or () if key == "authorization"), "")
        if self._authenticator is None or not isinstance(authorization, str):
            return False
        caller = self._authenticator.cached(authorization)
        return caller is not None and caller.role in OPERATORS


def _not_yet(text: str) -> NoReturn:
    raise NotYetImplemented(text)
