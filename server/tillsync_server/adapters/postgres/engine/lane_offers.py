"""Reports offered lanes whose commit got no answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import asyncpg

from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import LaneOffer


@contextmanager
def report_if_unanswered(offer: LaneOffer | None, accounts: Collection[AccountId]) -> Iterator[None]:
    """Wraps a statement that may lease lanes for ``offer``. After an error it is unknown whether the lease committed, so the accounts are
    reported to ``offer.unanswered``. A lock timeout is not reported: it committed nothing."""
    try:
        yield
    except asyncpg.LockNotAvailableError:
        raise
    except BaseException:
        if offer is not None:
            # invariant: lost-answers-are-told
            offer.unanswered(sorted(accounts))
        raise
