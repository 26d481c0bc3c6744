"""The shop's adapter for tests, over one pool of outgoing connections, with short constructors of writes."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fakes.account_warnings import FakeAccountWarnings
from fakes.clock import FakeClock
from tillsync_sandbox import SandboxShop
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.adapters.woo import WooAdapterSettings, WooGateway
from tillsync_server.domain.account import Account, ShopSettings
from tillsync_server.domain.customer import CustomerValues, CustomerWrite
from tillsync_server.domain.ids import AccountId, EposCustomerTypeId, TillId, WooCustomerId
from tillsync_server.ports.shop import ShopClient

AS_OF = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def write(
    woo_customer_id: int,
    *,
    version: int = 10,
    points: str | None = "10",
    credit: str | None = "3.50",
    type_id: int | None = 4001,
    keeps_type: bool = False,
    first_name: str | None = None,
    last_name: str | None = None,
    phone: str | None = None,
) -> CustomerWrite:
    of_type = None if type_id is None else EposCustomerTypeId(type_id)
    values = CustomerValues(
        points=points,
        credit=credit,
        type_id=of_type,
        keeps_type=keeps_type,
        first_name=first_name,
        last_name=last_name,
        phone=phone,
    )
    return CustomerWrite(woo_customer_id=WooCustomerId(woo_customer_id), version=version, values=values, as_of=AS_OF)


def removal(woo_customer_id: int, *, version: int = 10) -> CustomerWrite:
    return CustomerWrite(woo_customer_id=WooCustomerId(woo_customer_id), version=version, values=None)


@dataclass
class ShopWorld:
    gateway: WooGateway
    clock: FakeClock
    waited: list[float] = field(default_factory=list)
    warnings: FakeAccountWarnings = field(default_factory=FakeAccountWarnings)

    def with_bridge(self, shop: SandboxShop, *, secret: str | None = None, base_url: str | None = None) -> ShopClient:
        bridge_secret = shop.switches.bridge_secret if secret is None else secret
        return self._client(ShopSettings(base_url=base_url or shop.origin, bridge_secret=bridge_secret))

    def with_keys(self, shop: SandboxShop, *, key: str = "", secret: str = "", base_url: str | None = None) -> ShopClient:
        return self._client(
            ShopSettings(
                base_url=base_url or shop.origin,
                consumer_key=key or shop.switches.consumer_key,
                consumer_secret=secret or shop.switches.consumer_secret,
            )
        )

    def _client(self, settings: ShopSettings) -> ShopClient:
        return self.gateway.client(Account(account_id=AccountId("shop-a"), till_id=TillId("till-a"), shop=settings))


@asynccontextmanager
async def shop_world(*, ssl_context: ssl.SSLContext | None = None, **settings: Any) -> AsyncIterator[ShopWorld]:
    waited: list[float] = []
    clock = FakeClock()

    async def note(seconds: float) -> None:
        waited.append(seconds)

    http = HttpClient(HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True)), ssl_context=ssl_context)
    warnings = FakeAccountWarnings()
    gateway = WooGateway(http, WooAdapterSettings(**settings), warnings=warnings, sleep=note, clock=clock)
    try:
        yield ShopWorld(gateway, clock, waited, warnings)
    finally:
        await http.close()


def tls_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server context, context of a trusting client) for ``localhost`` and 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(chain, secret)
    return server, ssl.create_default_context(cafile=str(chain))
