"""The shop emulator: start, stop, reads and changes of its state."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from types import TracebackType

from aiohttp import web

from tillsync_sandbox.changes import DEFAULT_TIMEOUT_SECONDS
from tillsync_sandbox.faults import Faults
from tillsync_sandbox.request_log import RequestLog
from tillsync_sandbox.serving import Exchange, SandboxServer
from tillsync_sandbox.shop.control import ControlApi
from tillsync_sandbox.shop.site import WordPressSite
from tillsync_sandbox.shop.stored import ShopStore
from tillsync_sandbox.shop.switches import ShopSwitches


class SandboxShop:
    """A running shop emulator: ``async with SandboxShop() as shop: … shop.origin``.

    ``ssl_context`` serves it over https, and PHP's ``is_ssl()`` is true then.
    """

    def __init__(
        self, switches: ShopSwitches | None = None, *, host: str = "127.0.0.1", port: int = 0, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.switches = switches or ShopSwitches()
        if ssl_context is not None:
            self.switches.https_seen = True
        self.store = ShopStore()
        self._host, self._port = host, port
        self._server = SandboxServer(self._answer, ControlApi(self.store, self.switches).routes(), ssl_context=ssl_context)
        self._site: WordPressSite | None = None

    async def start(self) -> None:
        """Raises OSError when the port is taken."""
        await self._server.start(self._host, self._port)
        self._site = WordPressSite(self.store, self.switches, self._server.origin)

    async def stop(self) -> None:
        await self._server.stop()

    async def __aenter__(self) -> SandboxShop:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    @property
    def origin(self) -> str:
        """The shop's base address: scheme, host and port, without a final slash."""
        return self._server.origin

    @property
    def log(self) -> RequestLog:
        return self._server.log

    @property
    def faults(self) -> Faults:
        return self._server.faults

    def add_customer(
        self,
        user_id: int | None = None,
        *,
        email: str = "",
        first_name: str = "",
        last_name: str = "",
        phone: str = "",
        role: str = "customer",
        registered: str = "2026-01-05T09:30:00",
    ) -> int:
        """Adds a customer and returns the user id. ``registered`` is UTC. Raises ValueError when id or email is taken."""
        user = self.store.add_user(
            user_id, email=email, first_name=first_name, last_name=last_name, phone=phone, role=role, registered=registered
        )
        return user.user_id

    def delete_customer(self, user_id: int) -> None:
        self.store.delete_user(user_id)

    def metas(self, user_id: int) -> dict[str, object]:
        """Returns the metas that wc/v3 wrote, by key."""
        return self.store.users[user_id].meta.as_dict()

    async def wait_for(self, predicate: Callable[[], object], timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        """Returns once ``predicate()`` is true. It is evaluated after every change of the store. Raises TimeoutError."""
        await self.store.wait_for(predicate, timeout, self.log.newest)

    async def _answer(self, exchange: Exchange) -> web.Response:
        if self._site is None:
            raise RuntimeError("the sandbox shop is not started")
        return await self._site.answer(exchange.request, exchange.body)
