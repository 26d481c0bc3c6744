"""Fixtures for tests on the sandbox shop. Tests of another world define their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from support.shop_client import ShopWorld, shop_world
from tillsync_sandbox import SandboxShop


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[SandboxShop]:
    """A sandbox shop with three customers."""
    async with SandboxShop() as running:
        for number in range(1, 4):
            running.add_customer(number, email=f"c{number}@example.test", first_name="Ada", last_name="Byron")
        yield running


@pytest_asyncio.fixture
async def world() -> AsyncIterator[ShopWorld]:
    async with shop_world() as made:
        yield made
