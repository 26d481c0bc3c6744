"""Limits the concurrent calls of one method for one account. The limit is for methods that ask a till or a shop while the caller waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import ResourceExhausted

_RETRY_AFTER_SECONDS = 5.0


class CallsAtOnce:
    """Counts the calls of one method in this process. SITE tokens are counted separately, so a shop's calls never block an operator's."""

    def __init__(self, method: str, most: int) -> None:
        self._name = method.rpartition("/")[2]
        self._most = most
        self._under_way: Counter[tuple[str, bool]] = Counter()

    @contextmanager
    def place(self, account_id: str, role: Role) -> Iterator[None]:
        """Counts one call until the context ends. Raises ResourceExhausted at the limit."""
        key = (account_id, role is Role.SITE)
        if self._under_way[key] >= self._most:
            raise ResourceExhausted(
                f"{self._most} calls of {self._name} are under way for account {account_id} already; call again when one has ended",
                reason="TOO_MANY_CALLS_AT_ONCE",
                metadata={"method": self._name, "at_once": str(self._most)},
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        self._under_way[key] += 1
        try:
            yield
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
