"""Actions of tests in a shop: users, sessions, orders, requests, cron."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from support.waiting import HANG_SECONDS, SeenT, until
from wordpress.harness.site import ADMIN, PASSWORD, Site

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Session:
    """A logged-in user. ``cookies`` also work in a browser. ``nonces`` are by action and always include `wp_rest`."""

    user_id: int
    cookies: Mapping[str, str]
    nonces: Mapping[str, str]

    @property
    def rest_headers(self) -> dict[str, str]:
        return {"X-WP-Nonce": self.nonces["wp_rest"]}


class Shop(Site):
    async def add_user(self, email: str = "", role: str = "customer", login: str = "", **fields: str) -> int:
        """Adds a user. ``fields`` are those of wp_insert_user (first_name, last_name ...). The password is ``site.PASSWORD``."""
        login = login or f"user{next(_numbers)}"
        code = """
            $known = array( 'user_login' => $login, 'user_email' => $email, 'user_pass' => $password, 'role' => $role );
            $id = wp_insert_user( $fields + $known );
            if ( is_wp_error( $id ) ) { throw new RuntimeException( $id->get_error_message() ); }
            return $id;
        """
        made: int = await self.php(code, login=login, email=email or f"{login}@example.test", role=role, password=PASSWORD, fields=fields)
        return made

    async def add_order(self, *, customer_id: int = 0, status: str = "processing", age_seconds: int = 0, **billing: str) -> int:
        """Adds an order as a checkout does: it is saved as pending with its buyer and then changes to ``status``, which fires the hooks.
        ``billing``: email, first_name, last_name, company, phone ...
        """
        code = """
            $order = new WC_Order();
            $order->set_customer_id( $customer_id );
            foreach ( $billing as $key => $value ) { $order->{"set_billing_$key"}( $value ); }
            if ( $age ) { $order->set_date_created( time() - $age ); }
            $order->save();
            if ( 'pending' !== $status ) { $order->update_status( $status ); }
            return $order->get_id();
        """
        made: int = await self.php(code, customer_id=customer_id, status=status, billing=billing, age=age_seconds)
        return made

    async def order_meta(self, order_id: int, prefix: str = "_tillsync_") -> dict[str, Any]:
        """Returns the order's meta by key. A JSON text is decoded."""
        code = """
            $found = array();
            foreach ( wc_get_order( $id )->get_meta_data() as $meta ) {
                if ( 0 === strpos( $meta->key, $prefix ) ) {
                    $found[ $meta->key ] = is_string( $meta->value ) ? json_decode( $meta->value, true ) ?? $meta->value : $meta->value;
                }
            }
            return (object) $found;
        """
        found: dict[str, Any] = await self.php(code, id=order_id, prefix=prefix)
        return found

    async def order_notes(self, order_id: int) -> list[str]:
        """Returns the order's notes, oldest first."""
        found: list[str] = await self.php(
            "return array_reverse( array_map( static fn( $note ) => $note->content, wc_get_order_notes( array( 'order_id' => $id ) ) ) );",
            id=order_id,
        )
        return found

    async def log_in(self, user: str | int = ADMIN, *nonces: str) -> Session:
        """Returns a session of that login or id, with nonces of these actions."""
        code = """
            $user = is_int( $who ) ? get_user_by( 'id', $who ) : get_user_by( 'login', $who );
            $until = time() + DAY_IN_SECONDS;
            $token = WP_Session_Tokens::get_instance( $user->ID )->create( $until );
            $cookies = array(
                LOGGED_IN_COOKIE => wp_generate_auth_cookie( $user->ID, $until, 'logged_in', $token ),
                AUTH_COOKIE => wp_generate_auth_cookie( $user->ID, $until, 'auth', $token ),
            );
            $_COOKIE[ LOGGED_IN_COOKIE ] = $cookies[ LOGGED_IN_COOKIE ];
            wp_set_current_user( $user->ID );
            $made = array();
            foreach ( $actions as $action ) { $made[ $action ] = wp_create_nonce( $action ); }
            return array( $user->ID, $cookies, $made );
        """
        user_id, cookies, made = await self.php(code, who=user, actions=["wp_rest", *nonces])
        return Session(user_id, cookies, made)

    async def request(
        self,
        method: str,
        path: str,
        *,
        session: Session | None = None,
        json_body: Any = None,
        form: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 60,
    ) -> Reply:
        """Sends a request. ``session`` sends its cookies and, on a REST path, its nonce (unless ``headers`` has one). Redirects are not
        followed.
        """
        sent = {**(headers or {})}
        if session is not None:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
            if path.startswith(("/wp-json", "/?rest_route")) and "X-WP-Nonce" not in sent:
                sent |= session.rest_headers
        data: Any = form
        if json_body is not None:
            data, sent["Content-Type"] = json.dumps(json_body).encode(), "application/json"
        elif body is not None:
            data = body
            sent.setdefault("Content-Type", "application/json")
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(seconds)) as client,
            client.request(method, self.url + path, data=data, headers=sent, allow_redirects=False) as response,
        ):
            return Reply(response.status, dict(response.headers), await response.text(errors="replace"))

    async def signed(
        self,
        method: str,
        route: str,
        content: Any,
        secret: str,
        *,
        at: float | None = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
    ) -> Reply:
        """Sends a request of the bridge's wire, signed as the service signs it. ``route`` is e.g. `/wc-tillsync/v1/status`. ``query`` is
        not signed.
        """
        body = b"" if content is None else json.dumps(content).encode()
        stamp = str(int(time.time() if at is None else at))
        signed = "\n".join(["v1", stamp, method, route, hashlib.sha256(body).hexdigest()])
        signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        sent = {"X-Tillsync-Timestamp": stamp, "X-Tillsync-Signature": f"v1={signature}", **(headers or {})}
        return await self.request(method, f"/wp-json{route}{query and '?'}{query}", body=body, headers=sent)

    async def cron(self) -> Reply:
        """Runs WordPress's cron by a web request: every due event."""
        return await self.request("GET", "/wp-cron.php?doing_wp_cron")

    async def run_actions(self) -> None:
        """Runs Action Scheduler's queue, as its cron event does."""
        await self.php("do_action( 'action_scheduler_run_queue', 'WP Cron' );")

    async def until(self, holds: Callable[[], Awaitable[SeenT | None]], seconds: float = HANG_SECONDS) -> SeenT:
        """Repeats ``holds`` until its result is true, and returns it. A failure shows the last result and the end of the shop's log."""
        seen = await until(holds, lambda: "\n".join(self.log()[-5:]), seconds)
        assert seen is not None
        return seen
