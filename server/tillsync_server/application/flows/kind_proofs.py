"""Which kinds of emails a till's search is known to find (docs/architecture.md#never-a-twin).

A search that finds plain emails may be wrong for a plus sign, an apostrophe or 50 characters. A miss of such an email counts only where
the search has found another email of the same kind, and otherwise the whole list is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from datetime import timedelta

from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.application.flows.search_requests import SearchRequests
from tillsync_server.domain.email_kinds import covers, email_kinds
from tillsync_server.domain.ids import TillId
from tillsync_server.domain.matching import exact_matches, with_swapped_case

SAMPLES = 3
"""Customers tried as proof: one may have been deleted or renamed between the list and the search."""
REMEMBERED_SECONDS = 600.0


class KindProofs:
    """One per lease and configuration. Beside a search that is proven for plain emails. Raises UpstreamError."""

    def __init__(
        self,
        services: FlowServices,
        till_id: TillId,
        configuration: str,
        requests: SearchRequests,
    ) -> None:
        self._services = services
        self._till_id = till_id
        self._configuration = configuration
        self._requests = requests
        self._trying = asyncio.Lock()
        self._proven: dict[str, float] = {}
        """With the time on the process's clock until when it is believed; the same for ``_doubted``."""
        self._doubted: dict[str, float] = {}
        self._without_sample: set[str] = set()
        """Doubted only because nobody on the first page has such an email."""

    async def are_there(self, email: str) -> bool:
        """Whether the search is right for emails of this kind. The first one asks the first page of the list for samples."""
        kinds = email_kinds(email)
        if not kinds:
            return True
        async with self._trying:
            if not self._missing(kinds):
                return True
            if kinds & self._believed(self._doubted):
                return False
            await self._recall()
            if missing := self._missing(kinds):
                page = await self._requests.customers_page(1)
                await self._try([row.email for row in page.with_emails], missing)
            return not self._missing(kinds)

    async def learn(self, emails: Collection[str]) -> None:
        """``emails`` of the whole list, one of each kind: samples where the first page had none."""
        async with self._trying:
            missing = self._missing(self._without_sample & self._believed(self._doubted))
            if missing and (kinds := {kind for kind in missing if _samples(emails, kind)}):
                await self._try(emails, kinds)

    async def note_found(self, email: str) -> None:
        """The search has just found exactly this email."""
        kinds = email_kinds(email)
        if not self._missing(kinds):
            return
        await self._recall()
        if self._missing(kinds):
            await self._note(kinds, proven=True)

    async def _try(self, emails: Iterable[str], kinds: Collection[str]) -> None:
        known = list(emails)
        for kind in sorted(kinds):
            samples = _samples(known, kind)
            for sample in samples:
                if await self._is_found(sample):
                    await self._note(email_kinds(sample), proven=True)
                    break
            else:
                (self._without_sample.discard if samples else self._without_sample.add)(kind)
                await self._note({kind}, proven=False)

    async def _is_found(self, email: str) -> bool:
        """In other capitals where it has letters: the order's spelling may be another one."""
        answer = await self._requests.search(with_swapped_case(email) or email)
        return not answer.filter_ignored and bool(exact_matches(answer.rows, email))

    async def _recall(self) -> None:
        valid = timedelta(seconds=self._services.settings.search_proof_seconds)
        noted = (await self._services.knowledge.get(self._till_id, self._configuration)).kinds_proven_at
        self._believe(self._proven, [kind for kind, at in noted.items() if self._services.now() - at < valid])

    async def _note(self, kinds: Collection[str], *, proven: bool) -> None:
        self._believe(self._proven if proven else self._doubted, kinds)
        for kind in kinds:
            (self._doubted if proven else self._proven).pop(kind, None)
        await self._services.knowledge.note_kinds(self._till_id, self._configuration, kinds, proven=proven)

    def _believe(self, known: dict[str, float], kinds: Iterable[str]) -> None:
        seconds = min(REMEMBERED_SECONDS, self._services.settings.search_proof_seconds)
        known.update(dict.fromkeys(kinds, self._services.clock() + seconds))

    def _believed(self, known: dict[str, float]) -> set[str]:
        now = self._services.clock()
        return {kind for kind, until in known.items() if now < until}

    def _missing(self, kinds: Collection[str]) -> set[str]:
        proven = self._believed(self._proven)
        # invariant: proofs-count-for-their-kind
        return {kind for kind in kinds if not covers(proven, kind)}


def usable_samples(emails: Iterable[str]) -> set[str]:
    """Emails to try a search with: none that trimming would change."""
    return {email for email in emails if "@" in email and email == email.strip()}


def _samples(emails: Iterable[str], kind: str) -> list[str]:
    """Of this kind, those with letters first."""
    of_kind = [email for email in usable_samples(emails) if covers(email_kinds(email), kind)]
    return sorted(of_kind, key=lambda email: (with_swapped_case(email) is None, email))[:SAMPLES]
