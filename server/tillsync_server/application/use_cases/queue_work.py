"""Reads, requeues and dismisses entries for a person. A call names entries, or selects them by a filter, chunk by chunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from uuid import UUID

from tillsync_server.application.use_cases.page_tokens import PageTokens
from tillsync_server.application.use_cases.queue_listing import Count, FilterFields, identity_of
from tillsync_server.domain.entry import Entry
from tillsync_server.domain.enums import EntryState
from tillsync_server.domain.errors import InvalidArgument, NotFound
from tillsync_server.domain.ids import AccountId, EntryId, new_entry_id
from tillsync_server.ports.queues import ActionOutcome, ActionResult, QueueActions, QueueFilter, QueueReader

MAX_ENTRY_IDS = 500
CHUNK_ENTRIES = 500
VALIDATED_ENTRIES = 10_000
"""Entries that ``validate_only`` counts at most in one call."""
SHOWN_ENTRIES = 100
MAX_REASON_LENGTH = 200
DEFAULT_REASON = "closed by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySelection:
    """The entries of a call. Exactly one of ``entry_ids`` and ``filter`` is set."""

    account_id: AccountId
    entry_ids: tuple[str, ...] = ()
    filter: FilterFields | None = None
    validate_only: bool = False
    continuation_token: str = ""


class FailureKind(Enum):
    NOT_FOUND = auto()
    STATE_DOES_NOT_ALLOW = auto()


@dataclass(frozen=True, slots=True)
class EntryFailure:
    entry_id: str
    """The id as the request has it."""
    kind: FailureKind


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkResult:
    affected: int
    coalesced: int
    unchanged: int
    previous_states: tuple[Count, ...]
    entries: tuple[Entry, ...]
    failures: tuple[EntryFailure, ...]
    next_continuation_token: str


@dataclass(slots=True)
class _Tally:
    affected: int = 0
    coalesced: int = 0
    unchanged: int = 0
    previous: Counter[EntryState] = field(default_factory=Counter)
    shown: dict[EntryId, None] = field(default_factory=dict)

    def add(self, entry_ids: Sequence[EntryId], results: Sequence[ActionResult], *, is_dry_run: bool) -> None:
        """Counts results. A dry run shows the named entries, other work the entries of the results, which may be successors."""
        for entry_id, result in zip(entry_ids, results, strict=True):
            match result.outcome:
                case ActionOutcome.DONE:
                    self.affected += 1
                case ActionOutcome.COALESCED:
                    self.coalesced += 1
                case ActionOutcome.UNCHANGED:
                    self.unchanged += 1
                    continue
                case ActionOutcome.MISSING:
                    continue
            if result.previous_state is not None:
                self.previous[result.previous_state] += 1
            if len(self.shown) < SHOWN_ENTRIES:
                self.shown[entry_id if is_dry_run else result.entry_id] = None


_Act = Callable[[Sequence[EntryId]], Awaitable[list[ActionResult]]]


class QueueWork:
    def __init__(self, reader: QueueReader, actions: QueueActions) -> None:
        self._reader = reader
        self._actions = actions

    async def get(self, account_id: AccountId, entry_id: str) -> Entry:
        """Returns the entry with its attempts. Raises NotFound."""
        return await get_entry(self._reader, account_id, entry_id, with_attempts=True)

    async def requeue(self, chosen: EntrySelection) -> WorkResult:
        """Requeues entries. Raises NotFound for an unknown account, and InvalidArgument."""

        async def act(entry_ids: Sequence[EntryId]) -> list[ActionResult]:
            return await self._actions.requeue(chosen.account_id, entry_ids, dry_run=chosen.validate_only)

        return await self._work(chosen, act, "retry")

    async def dismiss(self, chosen: EntrySelection, reason: str) -> WorkResult:
        """Dismisses entries. An empty ``reason`` becomes "closed by hand". Raises NotFound for an unknown account, and InvalidArgument."""
        if len(reason) > MAX_REASON_LENGTH:
            raise InvalidArgument.of("reason", f"at most {MAX_REASON_LENGTH} characters")
        if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in reason):
            raise InvalidArgument.of("reason", "must not contain control characters")
        stored_reason = reason.strip() or DEFAULT_REASON

        async def act(entry_ids: Sequence[EntryId]) -> list[ActionResult]:
            return await self._actions.dismiss(chosen.account_id, entry_ids, stored_reason, dry_run=chosen.validate_only)

        return await self._work(chosen, act, "dismiss", stored_reason)

    async def _work(self, chosen: EntrySelection, act: _Act, *operation: str) -> WorkResult:
        if bool(chosen.entry_ids) == (chosen.filter is not None):
            raise InvalidArgument.of("entry_ids", "set exactly one of entry_ids and filter")
        if chosen.filter is not None:
            queue_filter = chosen.filter.checked(chosen.account_id, within="filter.")
            return await self._work_on_filter(chosen, queue_filter, act, operation)
        return await self._work_on_named(chosen, act)

    async def _work_on_named(self, chosen: EntrySelection, act: _Act) -> WorkResult:
        if len(chosen.entry_ids) > MAX_ENTRY_IDS:
            raise InvalidArgument.of("entry_ids", f"at most {MAX_ENTRY_IDS} entries in one call")
        if chosen.continuation_token:
            raise InvalidArgument.of("continuation_token", "named entries are done in one call: leave it out", reason="PAGE_TOKEN_INVALID")
        ids_by_text = {text: _entry_id(text) for text in chosen.entry_ids}  # each id once
        entry_ids = [entry_id for entry_id in ids_by_text.values() if entry_id is not None]
        tally = _Tally()
        results: dict[EntryId, ActionResult] = {}
        if entry_ids:
            acted = await act(entry_ids)
            tally.add(entry_ids, acted, is_dry_run=chosen.validate_only)
            results = dict(zip(entry_ids, acted, strict=True))
        else:
            await self._reader.problems(chosen.account_id)  # raises NotFound for an unknown account, as well-formed ids do
        failures = []
        for text, entry_id in ids_by_text.items():
            result = results.get(entry_id) if entry_id is not None else None
            if result is None or result.outcome is ActionOutcome.MISSING:
                failures.append(EntryFailure(text, FailureKind.NOT_FOUND))
            elif result.outcome is ActionOutcome.UNCHANGED:
                failures.append(EntryFailure(text, FailureKind.STATE_DOES_NOT_ALLOW))
        return await self._result(chosen.account_id, tally, tuple(failures), "")

    async def _work_on_filter(self, chosen: EntrySelection, queue_filter: QueueFilter, act: _Act, operation: Sequence[str]) -> WorkResult:
        """Works on the newest entries first, below an entry id that is fixed at the first call. Successors of requeued entries are newer,
        so they are never found."""
        tokens = PageTokens("continuation_token", *operation, *identity_of(queue_filter), chosen.validate_only)
        before = tokens.read_entry(chosen.continuation_token)
        if before is None:
            await self._reader.problems(chosen.account_id)
            before = new_entry_id()
        tally = _Tally()
        left = VALIDATED_ENTRIES if chosen.validate_only else CHUNK_ENTRIES
        following: EntryId | None = before
        while following is not None and left > 0:
            limit = min(left, CHUNK_ENTRIES)
            found = await self._reader.list_entries(queue_filter, before=following, limit=limit, with_attempts=False)
            entry_ids = [entry.entry_id for entry in found.entries]
            if entry_ids:
                tally.add(entry_ids, await act(entry_ids), is_dry_run=chosen.validate_only)
            left -= limit
            following = found.next_before
        token = "" if following is None else tokens.make(str(following))
        return await self._result(chosen.account_id, tally, (), token)

    async def _result(self, account_id: AccountId, tally: _Tally, failures: tuple[EntryFailure, ...], token: str) -> WorkResult:
        entries = await self._reader.get(account_id, list(tally.shown), with_attempts=False) if tally.shown else {}
        return WorkResult(
            affected=tally.affected,
            coalesced=tally.coalesced,
            unchanged=tally.unchanged,
            previous_states=tuple(Count(state, tally.previous[state]) for state in EntryState if tally.previous[state]),
            entries=tuple(entries[entry_id] for entry_id in tally.shown if entry_id in entries),
            failures=failures,
            next_continuation_token=token,
        )


async def get_entry(reader: QueueReader, account_id: AccountId, entry_id: str, *, with_attempts: bool) -> Entry:
    """Returns an entry of this account. Raises NotFound for every other text."""
    parsed = _entry_id(entry_id)
    if parsed is not None:
        found = (await reader.get(account_id, [parsed], with_attempts=with_attempts)).get(parsed)
        if found is not None:
            return found
    await reader.problems(account_id)  # raises NotFound with the better reason if the account is unknown
    raise NotFound("there is no such entry in this account, or its history has been dropped", reason="ENTRY_NOT_FOUND")


def _entry_id(text: str) -> EntryId | None:
    """Parses an entry id. Only the form that the service writes is one; other spellings of a UUID are none."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return EntryId(parsed) if str(parsed) == text else None
