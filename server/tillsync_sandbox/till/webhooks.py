"""The till's webhooks: changes are posted to one address. Switches set loss, duplicates, order and delay."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp

from tillsync_sandbox.changes import DEFAULT_TIMEOUT_SECONDS, ChangeSignal
from tillsync_sandbox.till.rows import v2, v4, webhook_json
from tillsync_sandbox.till.stored import Change, Stored, StoredCustomer, StoredTransaction
from tillsync_sandbox.till.switches import SaleWebhooks, TillSwitches, WebhookDeleteBody, WebhookVersion
from tillsync_sandbox.till.transactions import webhook_body

_TIMEOUT_SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class Delivery:
    number: int
    object: str
    """Value of ``Epos-Object``."""
    action: str
    """Value of ``Epos-Action``."""
    subject_id: int
    body: str
    dropped: bool = False
    """Randomly dropped, so it is never sent."""
    status: int | None = None
    error: str = ""
    """Reason why no answer arrived."""
    ended: bool = False


class Webhooks:
    """Sends deliveries one after the other. A slow or absent receiver delays only later deliveries."""

    def __init__(self, switches: TillSwitches, seed: int) -> None:
        self.deliveries: list[Delivery] = []
        """Deliveries in the order of the changes."""
        self._switches = switches
        self._random = random.Random(seed)
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()
        self._held: list[Delivery] = []
        self._changes = ChangeSignal()
        self._sender: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self.deliveries)

    def start(self) -> None:
        self._sender = asyncio.create_task(self._send_all())

    async def stop(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
            self._sender = None

    def on_change(self, change: Change, changed: Stored, by_api: bool) -> None:
        """Records a change as a delivery. It is the listener of the store."""
        switches = self._switches
        if not switches.webhook_url or (by_api and not switches.webhook_echo):
            return
        schema = v2() if switches.webhook_version is WebhookVersion.V2 else v4(switches)
        if isinstance(changed, StoredTransaction):
            if changed.customer is not None and switches.sale_webhooks is not SaleWebhooks.TRANSACTION:
                self.on_change(Change.UPDATE, changed.customer, by_api)
            if switches.sale_webhooks is not SaleWebhooks.CUSTOMER:
                self._add_delivery("Transaction", change, changed.transaction_id, webhook_body(changed, switches, schema))
            return
        is_customer = isinstance(changed, StoredCustomer)
        subject_id = changed.customer_id if isinstance(changed, StoredCustomer) else changed.type_id
        id_only = change is Change.DELETE and switches.webhook_delete_body is WebhookDeleteBody.ID
        body = str(subject_id) if id_only else webhook_json(changed, schema)
        self._add_delivery("Customer" if is_customer else "CustomerType", change, subject_id, body)

    def _add_delivery(self, name: str, change: Change, subject_id: int, body: str) -> None:
        switches = self._switches
        delivery = Delivery(number=len(self.deliveries) + 1, object=name, action=change.value, subject_id=subject_id, body=body)
        self.deliveries.append(delivery)
        if self._draw(switches.webhook_drop_percent):
            delivery.dropped = delivery.ended = True
            self._changes.notify()
            return
        copies = 2 if self._draw(switches.webhook_duplicate_percent) else 1
        if self._draw(switches.webhook_reorder_percent):
            self._held += [delivery] * copies
            asyncio.get_running_loop().call_later(switches.webhook_reorder_hold_seconds, self._queue_held)
            return
        for _ in range(copies):
            self._queue.put_nowait(delivery)
        self._queue_held()

    async def wait_for(self, count: int, *, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> list[Delivery]:
        """Returns all deliveries once ``count`` of them have ended. Raises TimeoutError."""

        def ended() -> int:
            return sum(delivery.ended for delivery in self.deliveries)

        await self._changes.wait_for(lambda: ended() >= count, timeout, lambda: f"{ended()} of {len(self.deliveries)} deliveries ended")
        return list(self.deliveries)

    def _queue_held(self) -> None:
        held, self._held = self._held, []
        for delivery in held:
            self._queue.put_nowait(delivery)

    def _draw(self, percent: float) -> bool:
        return percent > 0 and self._random.random() * 100 < percent

    async def _send_all(self) -> None:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                delivery = await self._queue.get()
                if self._switches.webhook_delay_seconds:
                    await asyncio.sleep(self._switches.webhook_delay_seconds)
                await self._send(session, delivery)
                delivery.ended = True
                self._changes.notify()

    async def _send(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        switches = self._switches
        headers = {"Content-Type": "application/json", "Epos-Object": delivery.object, "Epos-Action": delivery.action}
        if switches.webhook_key or switches.webhook_secret:
            headers["Authorization"] = aiohttp.encode_basic_auth(switches.webhook_key, switches.webhook_secret)
        try:
            async with session.post(
                switches.webhook_url, data=delivery.body.encode("utf-8", "replace"), headers=headers, allow_redirects=False
            ) as response:
                await response.read()
                delivery.status, delivery.error = response.status, ""
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: ``webhook_url`` is no URL.
            delivery.error = f"{type(error).__name__}: {error}"
