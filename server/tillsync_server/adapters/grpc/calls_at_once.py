"""How many calls of one method may be under way for one account: of those that have this process ask a till or a shop, and wait for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import ResourceExhausted

_COME_BACK_SECONDS = 5.0


class CallsAtOnce:
    """Of one method, in this process. SITE tokens have places of their own: a shop's calls never keep an operator's out."""

    def __init__(self, method: str, most: int) -> None:
        self._name = method.rpartition("/")[2]
        self._most = most
        self._under_way: Counter[tuple[str, bool]] = Counter()

    @contextmanager
    def place(self, account_id: str, role: Role) -> Iterator[None]:
        """ResourceExhausted where none is left."""
        key = (account_id, role is Role.SITE)
        if self._under_way[key] >= self._most:
            raise ResourceExhausted(
                f"{self._most} calls of {self._name} are under way for account {account_id} already; call again when one has ended",
                reason="TOO_MANY_CALLS_AT_ONCE",
                metadata={"method": self._name, "at_once": str(self._most)},
                retry_after_seconds=_COME_BACK_SECONDS,
            )
        self._under_way[key] += 1
        try:
            yield
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
