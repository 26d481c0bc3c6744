"""The routes ``wc/v3/customers``: read, list, single update and batch update, with the rules and traps of WooCommerce 10.5.

The emulator does not create or delete users. A single request finds no route; a batch with such items gets 501 and changes nothing.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aiohttp import web

from tillsync_sandbox.shop.customer_schema import collection_problems, customer_problems, is_email, sanitize_email, sanitize_text
from tillsync_sandbox.shop.rest import CriticalError, RestError, RestRequest, invalid_params, json_response, keep_fields, no_route
from tillsync_sandbox.shop.stored import BILLING_FIELDS, ShopStore, ShopUser
from tillsync_sandbox.shop.switches import ShopSwitches
from tillsync_sandbox.shop.woo_auth import Caller

BATCH_LIMIT = 100
_EDITABLE = ("POST", "PUT", "PATCH")


class CustomersController:
    def __init__(self, store: ShopStore, switches: ShopSwitches, rest_url: str) -> None:
        self._store = store
        self._switches = switches
        self._rest_url = rest_url

    async def handle(self, request: RestRequest, caller: Caller | None) -> web.Response:
        """Answers a request to a route under ``/wc/v3/customers``. Raises RestError."""
        subpath = request.route.removeprefix("/wc/v3/customers")
        if subpath == "" and request.method == "GET":
            return self._list(request, caller)
        if subpath == "/batch" and request.method in _EDITABLE:
            return await self._batch(request, caller)
        if re.fullmatch(r"/\d+", subpath, re.ASCII):
            user_id = int(subpath[1:])
            if request.method == "GET":
                return self._get(request, caller, user_id)
            if request.method in _EDITABLE:
                return self._put(request, caller, user_id)
        raise no_route()

    def _get(self, request: RestRequest, caller: Caller | None, user_id: int) -> web.Response:
        # WooCommerce looks up the user before it checks permission, so an anonymous caller can find out which ids exist.
        user = self._user_or_404(user_id)
        if caller is None:
            raise _denied_error(caller, "woocommerce_rest_cannot_view", "Sorry, you cannot view this resource.")
        return self._answer(request, self._customer_json(user))

    def _list(self, request: RestRequest, caller: Caller | None) -> web.Response:
        if problems := collection_problems(request.query):
            raise invalid_params(problems)
        if caller is None:
            raise _denied_error(caller, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        email = request.query.get("email", "").casefold()
        role = request.query.get("role", "customer")
        include = {int(each) for each in request.query.get("include", "").split(",") if each.isdigit()}
        page, per_page = int(request.query.get("page", "1")), int(request.query.get("per_page", "10"))
        found = [
            user
            for user in self._store.users.values()
            if (role == "all" or user.role == role)
            and (not email or user.email.casefold() == email)
            and (not include or user.user_id in include)
        ]
        found.sort(key=lambda user: (f"{user.first_name} {user.last_name}".strip().casefold() or user.username, user.user_id))
        page_of_users = found[(page - 1) * per_page : page * per_page]
        headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(-(-len(found) // per_page))}
        return self._answer(request, [self._customer_json(user) for user in page_of_users], headers)

    def _put(self, request: RestRequest, caller: Caller | None, user_id: int) -> web.Response:
        body = request.json()
        if problems := customer_problems(body):
            raise invalid_params(problems)
        user = self._user_or_404(user_id)
        self._check_right(caller, user, body)
        self._update(user, body)
        return self._answer(request, self._customer_json(user))

    def _check_right(self, caller: Caller | None, user: ShopUser, body: dict[str, Any]) -> None:
        if caller is None or not caller.may_edit(user.role):
            raise _denied_error(caller, "woocommerce_rest_cannot_edit", "Sorry, you are not allowed to edit this resource.")
        if user.role not in ("customer", "subscriber"):
            for name in ("email", "password"):
                if name in body and (name == "password" or body[name] != user.email):
                    raise _denied_error(
                        caller,
                        "woocommerce_rest_cannot_edit",
                        f"Sorry, {name} cannot be updated via this endpoint for a user with role {user.role}.",
                    )

    async def _batch(self, request: RestRequest, caller: Caller | None) -> web.Response:
        body = request.json()
        if caller is None or not caller.may_batch:
            raise _denied_error(caller, "woocommerce_rest_cannot_batch", "Sorry, you are not allowed to batch manipulate this resource.")
        parts = {name: body[name] for name in ("create", "update", "delete") if body.get(name)}
        if not all(isinstance(items, list) for items in parts.values()):
            raise CriticalError
        if sum(len(items) for items in parts.values()) > BATCH_LIMIT:
            raise RestError(
                413, "woocommerce_rest_request_entity_too_large", f"Unable to accept more than {BATCH_LIMIT} items for this request."
            )
        if "create" in parts or "delete" in parts:
            raise RestError(
                501, "sandbox_not_emulated", "The sandbox shop updates customers in a batch, it does not create or delete them."
            )
        results: list[dict[str, Any]] = []
        for item in parts.get("update", []):
            if self._switches.item_latency_seconds:
                await asyncio.sleep(self._switches.item_latency_seconds)
            results.append(self._update_batch_item(item, caller))
        return self._answer(request, {"update": results} if results else [])

    def _update_batch_item(self, item: object, caller: Caller) -> dict[str, Any]:
        """Updates one item of a batch without schema validation. An error of an item does not stop the other items."""
        if not isinstance(item, dict):
            # PHP raises a TypeError here. Earlier items are written, and the answer does not report them.
            raise CriticalError
        try:
            user = self._user_or_404(_to_user_id(item.get("id")))
            self._check_right(caller, user, item)
            self._update(user, item)
        except CriticalError:
            raise
        except RestError as error:
            return {"id": item.get("id"), "error": error.body}  # The id of the request, even if no such user exists.
        return self._customer_json(user)

    def _update(self, user: ShopUser, body: dict[str, Any]) -> None:
        """Checks all fields before it sets any, because WooCommerce saves the customer at the end."""
        email = body.get("email")
        if email and email != user.email and self._store.user_by_email(str(email)) not in (None, user):
            raise RestError(400, "woocommerce_rest_customer_invalid_email", "Email address is invalid.")
        if body.get("username") and body["username"] != user.username:
            raise RestError(400, "woocommerce_rest_customer_invalid_argument", "Username isn't editable.")
        billing = body.get("billing")
        set_billing: dict[str, str] = {}
        if isinstance(billing, dict):
            set_billing = {name: sanitize_text(billing[name]) for name in BILLING_FIELDS if billing.get(name) is not None}
        if set_billing.get("email") and not is_email(set_billing["email"]):
            raise RestError(400, "customer_invalid_billing_email", "Invalid billing email address")
        meta_data = body.get("meta_data")
        metas = meta_data if isinstance(meta_data, list) else []
        if not all(isinstance(meta, dict) for meta in metas):
            raise CriticalError
        if email is not None:
            self._store.set_email(user, sanitize_email(str(email)))
        if body.get("first_name") is not None:
            user.first_name = self._stored(sanitize_text(body["first_name"]), user.first_name)
        if body.get("last_name") is not None:
            user.last_name = self._stored(sanitize_text(body["last_name"]), user.last_name)
        user.billing.update(set_billing)
        for meta in metas:
            user.meta.update(str(meta.get("key") or ""), meta.get("value"), _to_user_id(meta.get("id")) or None)
        self._store.notify()

    def _stored(self, text: str, before: str) -> str:
        """Returns the stored text. wpdb does not write a four-byte character to a table of three-byte characters, and reports no error."""
        return before if self._switches.three_byte_tables and any(ord(character) > 0xFFFF for character in text) else text

    def _user_or_404(self, user_id: int) -> ShopUser:
        user = self._store.users.get(user_id)
        if user is None:
            raise RestError(404, "wc_user_invalid_id", "Invalid user ID.")
        return user

    def _customer_json(self, user: ShopUser) -> dict[str, Any]:
        return {
            "id": user.user_id,
            "date_created": user.registered,
            "date_created_gmt": user.registered,
            "date_modified": None,
            "date_modified_gmt": None,
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "role": user.role,
            "username": user.username,
            "billing": dict(user.billing),
            "shipping": {name: "" for name in BILLING_FIELDS if name != "email"},
            "is_paying_customer": False,
            "avatar_url": "",
            "meta_data": user.meta.as_json(),
            "_links": {
                "self": [{"href": f"{self._rest_url}/wc/v3/customers/{user.user_id}"}],
                "collection": [{"href": f"{self._rest_url}/wc/v3/customers"}],
            },
        }

    def _answer(self, request: RestRequest, body: object, headers: dict[str, str] | None = None) -> web.Response:
        return json_response(keep_fields(body, request.query.get("_fields", "")), headers=headers)


def _denied_error(caller: Caller | None, code: str, message: str) -> RestError:
    """Returns 401 for an anonymous caller, 403 for a caller without the right."""
    return RestError(401 if caller is None else 403, code, message)


def _to_user_id(value: object) -> int:
    """PHP's ``is_numeric`` and ``(int)``: "12" is 12. Any other value is no id (0)."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,18}\s*", value, re.ASCII):
        return int(value)
    return 0
