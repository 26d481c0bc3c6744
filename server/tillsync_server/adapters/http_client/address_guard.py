"""Address guard against SSRF. It checks resolved addresses at connect time.

aiohttp connects only to addresses that its resolver returned. So :class:`GuardedResolver` checks names at each connect, also a name that
is rebound to a private address. aiohttp connects to an IP literal without its resolver, so ``AllowedHosts.check_literal`` checks literals
before the connect.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Networks that `ipaddress` of Python 3.11 calls global, or classifies differently between patch releases.
_NEVER_PUBLIC: tuple[tuple[IPNetwork, str], ...] = tuple(
    (ipaddress.ip_network(network), kind)
    for network, kind in (
        ("168.63.129.16/32", "cloud metadata"),
        ("100.64.0.0/10", "carrier-private"),
        ("192.0.0.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("198.18.0.0/15", "reserved"),
        ("240.0.0.0/4", "reserved"),
        ("::/96", "reserved"),
        ("64:ff9b:1::/48", "private"),
        ("100::/64", "reserved"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "reserved"),
        ("2002::/16", "reserved"),
        ("3fff::/20", "reserved"),
        ("5f00::/16", "reserved"),
        ("fec0::/10", "private"),
    )
)
_METADATA = frozenset(ipaddress.ip_address(text) for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """The address is neither public nor allow-listed. It is an OSError, because aiohttp expects that of a resolver."""


def _embedded_ipv4(address: IPAddress) -> ipaddress.IPv4Address | None:
    """Returns the IPv4 address inside a mapped or NAT64 IPv6 address, or None. A translation must not reach an internal host."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def kind_of_internal_address(address: IPAddress) -> str | None:
    """Returns the kind of an address that is not public unicast (``"loopback"``, ``"private"`` …), or None for a public one."""
    inner = _embedded_ipv4(address)
    if inner is not None:
        # IPv6-only hosts reach the public IPv4 net by NAT64. No legitimate name resolves to a mapped address.
        return kind_of_internal_address(inner) or (None if address in _NAT64 else "IPv4-mapped")
    if address in _METADATA:
        return "cloud metadata"
    for flag, kind in (
        (address.is_unspecified, "unspecified"),
        (address.is_loopback, "loopback"),
        (address.is_link_local, "link-local"),
        (address.is_multicast, "multicast"),
    ):
        if flag:
            return kind
    for network, kind in _NEVER_PUBLIC:
        if address.version == network.version and address in network:
            return kind
    if address.is_private:
        return "private"
    return None if address.is_global and not address.is_reserved else "reserved"


def _parse_address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The allow-list ``TILLSYNC_ALLOWED_HOSTS``: host names, ``host:port`` and CIDRs that may have internal addresses."""

    hosts: frozenset[str] = frozenset()
    host_ports: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[IPNetwork, ...] = ()
    allow_loopback: bool = False

    @classmethod
    def parse(cls, items: str | Iterable[str], *, allow_loopback: bool = False) -> AllowedHosts:
        """Parses a list such as ``"shop.internal, till.internal:8443, 10.1.0.0/16, [fd12::1]:443"``.

        Raises ValueError, which names the invalid item.
        """
        hosts: set[str] = set()
        host_ports: set[tuple[str, int]] = set()
        networks: list[IPNetwork] = []
        for raw in items.split(",") if isinstance(items, str) else items:
            item = raw.strip().lower()
            if not item:
                continue
            try:
                networks.append(ipaddress.ip_network(item.removeprefix("[").removesuffix("]")))
                continue
            except ValueError:
                host, colon, port = item.rpartition(":")
            host = (host if colon else item).removeprefix("[").removesuffix("]").rstrip(".")
            if not host or any(character in host for character in "/@ ") or (":" in host and _parse_address(host) is None):
                raise ValueError(f"TILLSYNC_ALLOWED_HOSTS: {raw.strip()!r} is no host, host:port or CIDR such as 10.1.0.0/16")
            if not colon:
                hosts.add(host)
            elif port.isascii() and port.isdigit() and 0 < int(port) < 65536:
                host_ports.add((host, int(port)))
            else:
                raise ValueError(f"TILLSYNC_ALLOWED_HOSTS: {raw.strip()!r} has no port between 1 and 65535 after the colon")
        return cls(frozenset(hosts), frozenset(host_ports), tuple(networks), allow_loopback)

    def refusal_reason(self, host: str, port: int, address: str) -> str | None:
        """Returns why a connect to ``host`` at ``address`` is refused, or None. The text omits the address, which may be a secret."""
        name = host.lower().rstrip(".")
        parsed = _parse_address(address)
        if parsed is None:
            return f"{host} is not written as a proper IP address"
        kind = kind_of_internal_address(parsed)
        if kind is None or name in self.hosts or (name, port) in self.host_ports:
            return None
        candidates = [candidate for candidate in (parsed, _embedded_ipv4(parsed)) if candidate is not None]
        if any(candidate.version == network.version and candidate in network for candidate in candidates for network in self.networks):
            return None
        if self.allow_loopback and kind == "loopback":
            return None
        item = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"{host} has a {kind} address, which is refused; if it is meant, add {item} to TILLSYNC_ALLOWED_HOSTS"

    def check_literal(self, host: str, port: int) -> None:
        """Raises AddressRefused for an IP literal that is refused. It accepts every name, because the resolver checks names."""
        looks_numeric = ":" in host or host.rstrip(".").rpartition(".")[2].isdigit()
        if looks_numeric and (reason := self.refusal_reason(host, port, host)) is not None:
            raise AddressRefused(reason)


class GuardedResolver(AbstractResolver):
    """Resolves with ``inner`` and returns only allowed addresses. Raises AddressRefused when all addresses are refused."""

    def __init__(self, inner: AbstractResolver, allowed: AllowedHosts) -> None:
        self._inner = inner
        self._allowed = allowed

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        try:
            answers = await self._inner.resolve(host, port, family)
        except UnicodeError as error:  # The resolver's IDNA codec raises it for a label that is empty or too long.
            raise OSError(f"{host} is no host name") from error
        usable: list[ResolveResult] = []
        reason: str | None = None
        for answer in answers:
            refusal = self._allowed.refusal_reason(host, port, answer["host"])
            if refusal is None:
                usable.append(answer)
            else:
                reason = refusal
        if reason is not None and not usable:
            raise AddressRefused(reason)
        return usable

    async def close(self) -> None:
        await self._inner.close()
