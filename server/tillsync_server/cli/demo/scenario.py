"""The actions and checks of the story's steps, and their output."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from tillsync.v1 import order_pb2, queue_entry_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient
from tillsync_client.customer_sync import timestamp
from tillsync_sandbox import SandboxShop, SandboxTill

from tillsync_server.cli.demo.sample_data import SampleData

PATIENCE_SECONDS = 40.0
CUSTOMERS, ORDERS = vocabulary_pb2.QUEUE_CUSTOMERS, vocabulary_pb2.QUEUE_ORDERS


class UnexpectedResultError(Exception):
    """A step had another result than the story tells."""


@dataclass
class DemoScenario:
    """The running system, and the number of entries (``completed``) that had the comment and state of the story."""

    client: TillsyncClient
    till: SandboxTill
    shop: SandboxShop
    data: SampleData
    account: str
    console: Console
    completed: int = 0
    _order_time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def scene(self, title: str) -> None:
        self.console.print(f"\n● {title}", style="bold")

    def say(self, line: str) -> None:
        self.console.print(f"  {line}")

    async def customer_entry(self, epos_customer_id: int, comment: str, state: str, *, note: str = "") -> queue_entry_pb2.QueueEntry:
        """Waits until the till customer's newest entry has this comment and state, and prints it. Raises UnexpectedResultError after
        PATIENCE_SECONDS."""
        return await self._expect(CUSTOMERS, f"till customer {epos_customer_id}", comment, state, note, epos_customer_id=epos_customer_id)

    async def type_entry(self, type_id: int, comment: str, state: str) -> queue_entry_pb2.QueueEntry:
        def of_type(entry: queue_entry_pb2.QueueEntry) -> bool:
            return entry.epos_customer_type_id == type_id

        return await self._expect(CUSTOMERS, f"customer type {type_id}", comment, state, "", which=of_type)

    async def order_entry(self, order_id: int, comment: str, state: str, *, note: str = "") -> queue_entry_pb2.QueueEntry:
        return await self._expect(ORDERS, f"order {order_id}", comment, state, note, order_id=order_id)

    async def _expect(
        self,
        queue: vocabulary_pb2.Queue.ValueType,
        subject: str,
        comment: str,
        state: str,
        note: str,
        *,
        epos_customer_id: int = 0,
        order_id: int = 0,
        which: Callable[[queue_entry_pb2.QueueEntry], bool] = lambda entry: True,
    ) -> queue_entry_pb2.QueueEntry:
        wanted_state = vocabulary_pb2.EntryState.Value(f"ENTRY_STATE_{state}")
        newest: queue_entry_pb2.QueueEntry | None = None
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            entries = self.client.sync.list_queue(self.account, queue, epos_customer_id=epos_customer_id, order_id=order_id, page_size=20)
            newest = None
            async for entry in entries:
                if which(entry):
                    newest = entry
                    break
            if newest is not None and newest.comment == comment and newest.state == wanted_state:
                if note and not any(note in each for each in newest.notes):
                    raise UnexpectedResultError(f"{subject}: no note says {note!r}: {list(newest.notes)}")
                self._show(subject, newest)
                return newest
            await asyncio.sleep(0.1)
        stands = "no entry" if newest is None else f"{vocabulary_pb2.EntryState.Name(newest.state)} {newest.comment!r} {list(newest.notes)}"
        raise UnexpectedResultError(f"{subject}: expected {state} {comment!r}, found {stands}")

    def _show(self, subject: str, entry: queue_entry_pb2.QueueEntry) -> None:
        self.completed += 1
        state = vocabulary_pb2.EntryState.Name(entry.state).removeprefix("ENTRY_STATE_")
        self.console.print(f"  ✓ {subject}: {state}  “{entry.comment}”", style="green")
        for note in entry.notes[:2]:
            self.console.print(f"      {note}", style="dim")

    async def shop_points(self, user_id: int, points: str) -> None:
        """Waits until the shop has stored these points of the customer. Raises UnexpectedResultError after PATIENCE_SECONDS."""

        def arrived() -> bool:
            row = self.shop.store.bridge_rows.get(user_id)
            return row is not None and row.points == points

        try:
            await self.shop.wait_for(arrived, PATIENCE_SECONDS)
        except TimeoutError:
            row = self.shop.store.bridge_rows.get(user_id)
            raise UnexpectedResultError(f"shop customer {user_id}: expected {points} points, the shop has {row}") from None
        self.console.print(f"  ✓ shop customer {user_id} sees {points} points", style="green")

    async def order(
        self,
        order_id: int,
        *,
        woo_customer_id: int = 0,
        email: str = "",
        first_name: str = "",
        last_name: str = "",
        unlinked: tuple[order_pb2.UnlinkedProduct, ...] = (),
    ) -> None:
        """Asks for the till customer of an order, as the shop's plugin does."""
        facts = order_pb2.Order(
            order_id=order_id,
            order_key=hashlib.sha256(f"wc_order_{order_id}".encode()).hexdigest(),
            order_number=str(order_id),
            create_time=timestamp(self._order_time),
            woo_customer_id=woo_customer_id,
            account_email=email if woo_customer_id else "",
            billing_email=email,
            first_name=first_name,
            last_name=last_name,
        )
        await self.client.sync.match_order(self.account, facts, unlinked_products=unlinked)
