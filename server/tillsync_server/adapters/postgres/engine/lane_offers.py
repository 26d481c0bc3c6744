"""Offers of lanes, where the answer to a commit is lost."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import asyncpg

from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import LaneOffer


@contextmanager
def answered(offer: LaneOffer | None, accounts: Collection[AccountId]) -> Iterator[None]:
    """Around what commits lanes that ``offer`` leases: an error leaves open whether it did. A lock that was not had committed nothing."""
    try:
        yield
    except asyncpg.LockNotAvailableError:
        raise
    except BaseException:
        if offer is not None:
            # invariant: lost-answers-are-told
            offer.unanswered(sorted(accounts))
        raise
