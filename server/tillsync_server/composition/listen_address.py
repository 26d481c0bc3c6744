"""Address of a listener."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """``host:port``. With port 0 the system chooses a free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, value: object) -> ListenAddress:
        if isinstance(value, ListenAddress):
            return value
        host, colon, port = str(value).strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise ValueError("must be host:port, such as 127.0.0.1:50051 or [::]:50051")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether the address is certainly loopback. A name other than localhost is not, because it may resolve to any address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
