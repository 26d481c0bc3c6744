"""Opens connections to a DSN that may name several hosts, of which one is the primary.

asyncpg has one timeout for all hosts, so a host that does not answer (a machine without power) takes the time of the hosts behind it.
Here each host has its share of the timeout, and the host that served last is asked first.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

CONNECT_SECONDS = 60.0
"""asyncpg's own timeout of a connection."""
_NEXT_HOST = (
    OSError,  # TimeoutError too
    asyncpg.CannotConnectNowError,  # it starts or stops
    asyncpg.TargetServerAttributeNotMatched,  # a standby
)
_NEEDED_SESSION = ("target_session_attrs", "read-write")


class Hosts:
    """The hosts of ``dsn``. With several hosts each connection accepts writes, unless ``dsn`` has its own ``target_session_attrs``."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @cached_property
    def _dsns(self) -> list[str]:
        return dsn_of_each_host(self._dsn)

    async def connect(self, *, timeout: float, **options: Any) -> Any:
        """Opens a connection to the first suitable host. ``options`` are those of ``asyncpg.connect``. Raises the last host's error,
        and ValueError for a malformed DSN. ``timeout``: in seconds, for all hosts together.
        """
        error: BaseException | None = None
        for dsn in tuple(self._dsns):
            try:
                connection = await asyncpg.connect(dsn, timeout=timeout / len(self._dsns), **options)
            except _NEXT_HOST as failure:
                error = failure
            else:
                self._dsns.remove(dsn)
                self._dsns.insert(0, dsn)
                return connection
        assert error is not None
        raise error


def dsn_of_each_host(dsn: str) -> list[str]:
    """Returns a DSN for each host of ``dsn``. The hosts are before the path, or else in the parameter ``host``, each with its port or one
    ``port`` for all. A DSN with one host is returned as it is. Raises ValueError for numbers of hosts and ports that do not fit.
    """
    parts = urlsplit(dsn)
    parameters = dict(parse_qsl(parts.query))
    credentials, at, hosts = parts.netloc.rpartition("@")
    if "," in hosts:
        parameters = dict([_NEEDED_SESSION]) | parameters
        return [parts._replace(netloc=f"{credentials}{at}{host}", query=urlencode(parameters)).geturl() for host in hosts.split(",")]
    named = parameters.get("host", "").split(",")
    if hosts or len(named) == 1:
        return [dsn]
    ports = parameters.pop("port", "").split(",")
    if len(ports) == 1:
        ports *= len(named)
    made = []
    for host, port in zip(named, ports, strict=True):
        changed = dict([_NEEDED_SESSION]) | parameters | {"host": host} | ({"port": port} if port else {})
        made.append(parts._replace(query=urlencode(changed)).geturl())
    return made
