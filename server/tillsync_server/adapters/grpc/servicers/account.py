"""AccountService: accounts with their settings and check, shop connections, and tokens."""

from __future__ import annotations

from typing import Any

from tillsync.v1 import account_service_pb2, account_service_pb2_grpc

from tillsync_server.adapters.grpc.access import OPERATORS
from tillsync_server.adapters.grpc.caller import current_caller
from tillsync_server.adapters.grpc.enum_fields import enum_or_none
from tillsync_server.adapters.grpc.messages.accounts import (
    account_input,
    check_response,
    fill_account,
    fill_effect,
    fill_site_settings,
    site_settings_reader,
)
from tillsync_server.adapters.grpc.messages.tokens import account_or_none, create_token_response, fill_token
from tillsync_server.application.use_cases.account_check import AccountCheck
from tillsync_server.application.use_cases.account_settings import AccountSettings
from tillsync_server.application.use_cases.shop_connection import ShopConnection, ShopIntroduction
from tillsync_server.application.use_cases.site_settings import SiteSettings, SiteSettingsUpdate
from tillsync_server.application.use_cases.token_service import TokenService
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import InvalidArgument
from tillsync_server.domain.ids import AccountId


class AccountServicer(account_service_pb2_grpc.AccountServiceServicer):
    def __init__(
        self,
        settings: AccountSettings,
        site_settings: SiteSettings,
        check: AccountCheck,
        shops: ShopConnection,
        tokens: TokenService,
    ) -> None:
        self._settings = settings
        self._site_settings = site_settings
        self._check = check
        self._shops = shops
        self._tokens = tokens

    async def CreateAccount(  # noqa: N802
        self, request: account_service_pb2.CreateAccountRequest, context: Any
    ) -> account_service_pb2.CreateAccountResponse:
        response = account_service_pb2.CreateAccountResponse()
        fill_account(response.account, await self._settings.create(account_input(request.account_id, request.account)))
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
        given = account_input(request.account_id, request.account)
        change = await self._settings.update(given, tuple(request.update_mask.paths), request.etag)
        response = account_service_pb2.UpdateAccountResponse()
        fill_account(response.account, change.account)
        fill_effect(response.effect, change.effect)
        response.effect.SetInParent()
        return response

    async def UpdateSiteSettings(  # noqa: N802
        self, request: account_service_pb2.UpdateSiteSettingsRequest, context: Any
    ) -> account_service_pb2.UpdateSiteSettingsResponse:
        change = await self._site_settings.update(
            SiteSettingsUpdate(
                account_id=AccountId(request.account_id),
                settings=site_settings_reader(request.settings),
                mask=tuple(request.update_mask.paths),
                etag=request.etag,
                validate_only=request.validate_only,
            )
        )
        response = account_service_pb2.UpdateSiteSettingsResponse(etag=change.account.etag)
        fill_site_settings(response.settings, change.account)
        fill_effect(response.effect, change.effect)
        response.effect.SetInParent()
        return response

    async def CheckAccount(  # noqa: N802
        self, request: account_service_pb2.CheckAccountRequest, context: Any
    ) -> account_service_pb2.CheckAccountResponse:
        may_read_all = current_caller().role in OPERATORS
        return check_response(await self._check.run(AccountId(request.account_id), may_name_other_tills=may_read_all))

    async def ConnectShop(  # noqa: N802
        self, request: account_service_pb2.ConnectShopRequest, context: Any
    ) -> account_service_pb2.ConnectShopResponse:
        account = await self._shops.connect(
            ShopIntroduction(
                account_id=AccountId(request.account_id),
                base_url=request.base_url,
                bridge_secret=request.bridge_secret,
                rest_url=request.rest_url,
            )
        )
        response = account_service_pb2.ConnectShopResponse(account_name=account.name, etag=account.etag)
        fill_site_settings(response.settings, account)
        return response

    async def DisconnectShop(  # noqa: N802
        self, request: account_service_pb2.DisconnectShopRequest, context: Any
    ) -> account_service_pb2.DisconnectShopResponse:
        revoked = await self._shops.disconnect(AccountId(request.account_id), current_caller())
        return account_service_pb2.DisconnectShopResponse(token_revoked=revoked)

    async def CreateToken(  # noqa: N802
        self, request: account_service_pb2.CreateTokenRequest, context: Any
    ) -> account_service_pb2.CreateTokenResponse:
        role = enum_or_none(Role, request.role)
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
