"""Records which kinds of emails a till's search is proven to find (docs/invariants.md#never-a-twin).

A search that finds plain emails may fail for a plus sign, an apostrophe or 50 characters. A miss of such an email counts only if the search
has found another email of the same kind. Otherwise the whole list is read.
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
"""Customers to probe a search with. More than one, because one may be deleted or renamed between the list and the search."""
CACHED_SECONDS = 600.0


class KindProofs:
    """One per lease and configuration, for a search that is proven for plain emails. Methods raise UpstreamError."""

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
        self._probing = asyncio.Lock()
        self._proven: dict[str, float] = {}
        """By kind: the time on the process's clock until which the proof is valid; the same for ``_doubted``."""
        self._doubted: dict[str, float] = {}
        self._without_sample: set[str] = set()
        """Kinds that are doubted only because no customer on the first page has such an email."""

    async def is_proven_for(self, email: str) -> bool:
        """Whether the search is proven for emails of this kind. The first call takes samples from the first page of the list."""
        kinds = email_kinds(email)
        if not kinds:
            return True
        async with self._probing:
            if not self._missing(kinds):
                return True
            if kinds & self._valid(self._doubted):
                return False
            await self._load()
            if missing := self._missing(kinds):
                page = await self._requests.customers_page(1)
                await self._probe([row.email for row in page.with_emails], missing)
            return not self._missing(kinds)

    async def probe_missing(self, emails: Collection[str]) -> None:
        """Probes kinds for which the first page had no sample. ``emails``: those of the whole list, one of each kind."""
        async with self._probing:
            missing = self._missing(self._without_sample & self._valid(self._doubted))
            if missing and (kinds := {kind for kind in missing if _samples(emails, kind)}):
                await self._probe(emails, kinds)

    async def record_found(self, email: str) -> None:
        """To call when the search has found exactly this email."""
        kinds = email_kinds(email)
        if not self._missing(kinds):
            return
        await self._load()
        if self._missing(kinds):
            await self._record(kinds, proven=True)

    async def _probe(self, emails: Iterable[str], kinds: Collection[str]) -> None:
        known = list(emails)
        for kind in sorted(kinds):
            samples = _samples(known, kind)
            for sample in samples:
                if await self._is_found(sample):
                    await self._record(email_kinds(sample), proven=True)
                    break
            else:
                (self._without_sample.discard if samples else self._without_sample.add)(kind)
                await self._record({kind}, proven=False)

    async def _is_found(self, email: str) -> bool:
        """Whether the search finds the email, in other capitals if it has letters, because an order may spell it differently."""
        answer = await self._requests.search(with_swapped_case(email) or email)
        return not answer.filter_ignored and bool(exact_matches(answer.rows, email))

    async def _load(self) -> None:
        valid = timedelta(seconds=self._services.settings.search_proof_seconds)
        stored = (await self._services.knowledge.get(self._till_id, self._configuration)).kinds_proven_at
        self._remember(self._proven, [kind for kind, at in stored.items() if self._services.now() - at < valid])

    async def _record(self, kinds: Collection[str], *, proven: bool) -> None:
        self._remember(self._proven if proven else self._doubted, kinds)
        for kind in kinds:
            (self._doubted if proven else self._proven).pop(kind, None)
        await self._services.knowledge.note_kinds(self._till_id, self._configuration, kinds, proven=proven)

    def _remember(self, known: dict[str, float], kinds: Iterable[str]) -> None:
        seconds = min(CACHED_SECONDS, self._services.settings.search_proof_seconds)
        known.update(dict.fromkeys(kinds, self._services.clock() + seconds))

    def _valid(self, known: dict[str, float]) -> set[str]:
        now = self._services.clock()
        return {kind for kind, until in known.items() if now < until}

    def _missing(self, kinds: Collection[str]) -> set[str]:
        proven = self._valid(self._proven)
        # invariant: proofs-count-for-their-kind
        return {kind for kind in kinds if not covers(proven, kind)}


def usable_samples(emails: Iterable[str]) -> set[str]:
    """Returns the emails that can probe a search: those that trimming does not change."""
    return {email for email in emails if "@" in email and email == email.strip()}


def _samples(emails: Iterable[str], kind: str) -> list[str]:
    """Returns emails of this kind, those with letters first."""
    of_kind = [email for email in usable_samples(emails) if covers(email_kinds(email), kind)]
    return sorted(of_kind, key=lambda email: (with_swapped_case(email) is None, email))[:SAMPLES]
