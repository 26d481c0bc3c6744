"""Concurrent reads of many till customers, and their results."""

from __future__ import annotations

import asyncio
import random

from support.shop_flow_world import ShopWorld
from tillsync_server.application.flows.till_reader import TillReader
from tillsync_server.application.flows.waiting_reads import ReadCustomer
from tillsync_server.ports.tills import TillKnowledge


async def read_all(reader: TillReader, ids: list[int], *, is_live: bool = False) -> list[ReadCustomer | BaseException]:
    return await asyncio.gather(*(reader.read(each, is_live=is_live) for each in ids), return_exceptions=True)  # type: ignore[arg-type]


def ids_of(results: list[ReadCustomer | BaseException]) -> list[int | str]:
    return [each.customer.epos_customer_id if isinstance(each, ReadCustomer) else type(each).__name__ for each in results]


def scattered(customers: int, waiting: int) -> list[int]:
    return random.Random(7).sample(range(1, customers + 1), waiting)


def known_pages(world: ShopWorld, last_page: int | None) -> None:
    world.knowledge.stored[world.account.till_id, world.account.till_configuration] = TillKnowledge(last_page=last_page)
