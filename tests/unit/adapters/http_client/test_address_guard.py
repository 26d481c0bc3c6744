"""The SSRF guard decides at connect time which addresses are refused. The allow-list permits hosts, ports and networks."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from support.raw_http import raw_server
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.adapters.http_client.address_guard import kind_of_internal_address
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Unreachable


class ScriptedResolver(AbstractResolver):
    """Answers each lookup with the next list of addresses. The last list repeats."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.lookups: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        self.lookups.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        return None


INNER = {
    "127.0.0.1": "loopback",
    "127.8.9.10": "loopback",
    "::1": "loopback",
    "::ffff:127.0.0.1": "loopback",
    "10.0.0.1": "private",
    "172.16.5.4": "private",
    "192.168.1.1": "private",
    "::ffff:192.168.1.1": "private",
    "64:ff9b::a00:1": "private",
    "fd12:3456::1": "private",
    "fec0::1": "private",
    "169.254.1.1": "link-local",
    "fe80::1": "link-local",
    "fe80::1%1": "link-local",
    "169.254.169.254": "cloud metadata",
    "::ffff:169.254.169.254": "cloud metadata",
    "fd00:ec2::254": "cloud metadata",
    "168.63.129.16": "cloud metadata",
    "100.100.100.200": "cloud metadata",
    "100.64.0.1": "carrier-private",
    "0.0.0.0": "unspecified",
    "::": "unspecified",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "ff02::1": "multicast",
    "255.255.255.255": "reserved",
    "240.0.0.1": "reserved",
    "0.1.2.3": "private",
    "::7f00:1": "reserved",
    "2002:7f00:1::": "reserved",
    "2001:0:7f00:1::": "reserved",
    "2001:db8::1": "reserved",
    "::ffff:8.8.8.8": "IPv4-mapped",
}


@pytest.mark.parametrize(("address", "kind"), INNER.items())
def test_inner_addresses_have_their_kind(address: str, kind: str) -> None:
    assert kind_of_internal_address(ipaddress.ip_address(address)) == kind


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "64:ff9b::808:808", "172.32.0.1", "100.128.0.1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert kind_of_internal_address(ipaddress.ip_address(address)) is None


def test_allow_list_permits_hosts_ports_and_networks() -> None:
    allowed = AllowedHosts.parse("Shop.internal, till.internal:8443, 10.1.0.0/16, [fd12::1]:443, 192.168.7.7, [fd13::2]")
    assert allowed.refusal_reason("shop.internal.", 1234, "10.9.9.9") is None
    assert allowed.refusal_reason("till.internal", 8443, "10.9.9.9") is None
    assert allowed.refusal_reason("till.internal", 8444, "10.9.9.9") is not None
    assert allowed.refusal_reason("other.internal", 80, "10.1.2.3") is None
    assert allowed.refusal_reason("other.internal", 80, "::ffff:10.1.2.3") is None
    assert allowed.refusal_reason("other.internal", 80, "10.2.2.3") is not None
    assert allowed.refusal_reason("fd12::1", 443, "fd12::1") is None
    assert allowed.refusal_reason("fd12::1", 80, "fd12::1") is not None
    assert allowed.refusal_reason("other.internal", 80, "192.168.7.7") is None
    assert allowed.refusal_reason("other.internal", 80, "fd13::2") is None


@pytest.mark.parametrize("item", ["https://shop.internal", "shop.internal:0", "shop.internal:http", "10.0.0.0/64", "a b", "user@host:80"])
def test_invalid_allow_list_item_is_named(item: str) -> None:
    with pytest.raises(ValueError, match=r"TILLSYNC_ALLOWED_HOSTS: .*") as caught:
        AllowedHosts.parse(f"good.internal,{item}")
    assert item in str(caught.value)


def test_allowed_loopback_permits_no_other_inner_address() -> None:
    allowed = AllowedHosts(allow_loopback=True)
    assert allowed.refusal_reason("localhost", 80, "127.0.0.1") is None
    assert allowed.refusal_reason("localhost", 80, "::1") is None
    assert "link-local" in str(allowed.refusal_reason("metadata.example.test", 80, "169.254.1.1"))
    assert "unspecified" in str(allowed.refusal_reason("0.0.0.0", 80, "0.0.0.0"))


def test_refusal_names_the_setting_and_hides_the_address() -> None:
    refusal = AllowedHosts().refusal_reason("shop.example.test", 443, "10.20.30.40")
    assert refusal is not None
    assert "shop.example.test:443" in refusal
    assert "TILLSYNC_ALLOWED_HOSTS" in refusal
    assert "10.20.30.40" not in refusal


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "localhost"]
)
async def test_every_spelling_of_loopback_is_refused_without_a_connection(host: str) -> None:
    async with raw_server() as server:
        http = HttpClient()
        try:
            with pytest.raises(Unreachable, match="refused"):
                await http.request(Side.SHOP, "GET", f"http://{host}:{server.port}/", timeout_seconds=5)
        finally:
            await http.close()
        assert server.connections == 0


async def test_name_rebound_to_an_inner_address_is_refused_at_connect() -> None:
    """The network of the first lookup is allow-listed, that of the second is not. The connect itself must check."""
    async with raw_server() as server:
        resolver = ScriptedResolver(["127.0.0.1"], ["127.0.0.2"])
        allowed = AllowedHosts.parse("127.0.0.1/32")
        http = HttpClient(HttpClientSettings(allowed_hosts=allowed, dns_cache_seconds=0), resolver=resolver)
        url = f"http://rebinding.example.test:{server.port}/"
        try:
            answer = await http.request(Side.SHOP, "GET", url, timeout_seconds=5)
            assert answer.status == 200
            with pytest.raises(Unreachable, match="loopback address"):
                await http.request(Side.SHOP, "GET", url, timeout_seconds=5)
        finally:
            await http.close()
        assert resolver.lookups == ["rebinding.example.test"] * 2
        assert server.connections == 1


async def test_mixed_lookup_connects_only_to_allowed_addresses() -> None:
    async with raw_server() as server:
        allowed = AllowedHosts.parse("127.0.0.1/32")
        http = HttpClient(HttpClientSettings(allowed_hosts=allowed), resolver=ScriptedResolver(["127.0.0.3", "127.0.0.1"]))
        try:
            answer = await http.request(Side.SHOP, "GET", f"http://mixed.example.test:{server.port}/", timeout_seconds=5)
            assert answer.status == 200
        finally:
            await http.close()


async def test_environment_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server() as proxy, raw_server() as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        http = HttpClient(HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True)))
        try:
            await http.request(Side.SHOP, "GET", server.url, timeout_seconds=5)
        finally:
            await http.close()
        assert (proxy.connections, server.connections) == (0, 1)
