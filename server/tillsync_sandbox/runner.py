"""Runs both sandboxes with made-up people for ``tillsync sandbox``. It prints nothing; the caller prints ``RunningSandbox.lines``."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from tillsync_sandbox.shop import SandboxShop, ShopSwitches
from tillsync_sandbox.till import SandboxTill, TillSwitches

_FORENAMES = ("Alba", "Bruno", "Clara", "Dario", "Edda", "Felix", "Greta", "Hugo", "Iris", "Jonas", "Kaia", "Leo", "Mira", "Nils", "Olga")
_SURNAMES = ("Ash", "Birch", "Cedar", "Elm", "Fir", "Hazel", "Juniper", "Larch", "Maple", "Oak", "Pine", "Rowan", "Spruce", "Willow", "Yew")
_TYPES = (("Basic", "0.0", "Basic customer"), ("Silver", "5.0", "Silver card"), ("Gold", "10.0", "Gold card"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedOptions:
    """Numbers of made-up people. All emails are at example.test. The same seed creates the same people."""

    till_customers: int = 60
    shop_customers: int = 40
    """Number of shop customers. The first ones are the first till customers, with the same emails. Further ones are unknown to the till."""
    twins: int = 2
    """Number of first customers that the till has twice. Only a person can resolve a twin."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("till_customers", "shop_customers", "twins"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: from 0, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    till: SandboxTill
    shop: SandboxShop
    default_customer_id: int
    """The till customer for orders of guests."""

    @property
    def lines(self) -> list[str]:
        till, shop = self.till, self.shop
        return [
            f"till   {till.origin}   API key {till.switches.api_key}, secret {till.switches.api_secret}",
            f"       {till.store.customer_count} customers, {len(till.store.types)} types; for guest orders: {self.default_customer_id}",
            f"shop   {shop.origin}   consumer key {shop.switches.consumer_key}, secret {shop.switches.consumer_secret}",
            f"       bridge secret {shop.switches.bridge_secret}",
            f"       {len(shop.store.users)} customers",
            "",
            "Both as the sides of an account (a service on this machine reaches them with TILLSYNC_ALLOWED_HOSTS=127.0.0.1):",
            f"tillsync account create sandbox --till-url {till.origin} --till-key {till.switches.api_key} "
            f"--till-secret {till.switches.api_secret} --shop-url {shop.origin} --bridge-secret {shop.switches.bridge_secret} "
            f"--default-customer {self.default_customer_id}",
            "",
            f"curl {till.origin}/sandbox/customers                 what the till has",
            f"curl {shop.origin}/sandbox/customers                 what the shop has, and what the bridge wrote",
            f"curl {till.origin}/sandbox/requests                  what it was asked",
            f"curl {till.origin}/sandbox/switches                  what can be switched, with PATCH",
        ]


def loopback_address(listen: str) -> tuple[str, int]:
    """Parses ``127.0.0.1:0`` or ``[::1]:8081``; port 0 means any free port.

    Raises ValueError, also for an address outside loopback, because the control API has no password.
    """
    host, colon, port = listen.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{listen!r}: an address and a port are wanted, such as 127.0.0.1:8081")
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise ValueError(f"{listen!r}: an address such as 127.0.0.1 is wanted before the port") from None
    if not is_loopback:
        raise ValueError(f"{listen!r}: the sandbox listens on loopback only, its control API is open to everybody")
    return host, int(port)


@asynccontextmanager
async def run_sandbox(
    till_listen: str = "127.0.0.1:0",
    shop_listen: str = "127.0.0.1:0",
    seed: SeedOptions | None = None,
    *,
    till_switches: TillSwitches | None = None,
    shop_switches: ShopSwitches | None = None,
) -> AsyncIterator[RunningSandbox]:
    """Runs both sandboxes with people until the end of the ``async with``. Raises ValueError (addresses), OSError (a port is taken)."""
    options = seed or SeedOptions()
    till_host, till_port = loopback_address(till_listen)
    shop_host, shop_port = loopback_address(shop_listen)
    till = SandboxTill(till_switches, host=till_host, port=till_port, seed=options.seed)
    shop = SandboxShop(shop_switches, host=shop_host, port=shop_port)
    listener, till.store.listener = till.store.listener, None  # The first people send no webhooks.
    default_customer_id = _add_people(till, shop, options)
    till.store.listener = listener
    async with till, shop:
        yield RunningSandbox(till, shop, default_customer_id)


def _add_people(till: SandboxTill, shop: SandboxShop, options: SeedOptions) -> int:
    rng = random.Random(options.seed)
    types = [till.add_type(name=name, discount=discount, description=text) for name, discount, text in _TYPES]
    default_customer_id = till.add_customer(forename="Web orders", surname=None)
    for number in range(max(options.till_customers, options.shop_customers)):
        forename, surname = rng.choice(_FORENAMES), rng.choice(_SURNAMES)
        email = f"{forename}.{surname}.{number + 1}@example.test".lower()
        phone = f"01632 960{number % 1000:03d}"  # A range of numbers that is never assigned.
        copies = 2 if number < options.twins else 1
        for _ in range(copies if number < options.till_customers else 0):
            till.add_customer(
                forename=forename,
                surname=surname,
                email=email,
                phone=phone,
                type_id=rng.choice((*types, None)),
                points=rng.randrange(0, 500),
                balance=Decimal(rng.randrange(-2000, 5000)).scaleb(-2),
            )
        if number < options.shop_customers:
            shop.add_customer(email=email, first_name=forename, last_name=surname, phone=phone)
    return default_customer_id
