"""Known state of the shop in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fakes.clock import FakeClock
from fakes.links import FakeLinks
from fakes.script import Faults, raise_fault
from tillsync_server.domain.ids import AccountId, EposCustomerId, EposCustomerTypeId, WooCustomerId
from tillsync_server.ports.lanes import LaneLease
from tillsync_server.ports.links import ConfirmedWrite, WriteBasis

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FakeShopState:
    """Implements ports.links.ShopStateStore over ``links``, which also has the owner of each lane."""

    def __init__(self, clock: FakeClock, links: FakeLinks) -> None:
        self._clock = clock
        self._links = links
        self.settings_of: dict[AccountId, datetime] = {}
        """Stored ``Account.update_time``. For a missing account any settings count as current."""
        self.last_versions: dict[tuple[str, int], int] = {}
        self.type_hashes: dict[int, bytes | None] = {}
        self.type_lapses: dict[int, int] = {}
        self.gone_types: set[int] = set()
        self.confirmed: list[ConfirmedWrite] = []
        self.removed: list[int] = []
        self.gone_epos: list[int] = []
        self.gone_woo: list[int] = []
        self.faults: Faults = {}

    async def next_versions(
        self,
        lease: LaneLease,
        woo_customer_ids: Sequence[WooCustomerId],
        *,
        at_least: Mapping[WooCustomerId, int],
        basis: WriteBasis | None = None,
    ) -> dict[WooCustomerId, int]:
        raise_fault(self.faults, "next_versions")
        if not self._links.owns_lane(lease):
            return {}
        ids = [each for each in dict.fromkeys(woo_customer_ids) if basis is None or self._is_current(lease.account_id, each, basis)]
        self._clear_hashes(lease.account_id, ids)
        return {each: self._draw(("customer", each), at_least.get(each, 0)) for each in ids}

    def _is_current(self, account_id: AccountId, woo: WooCustomerId, basis: WriteBasis) -> bool:
        if not self._settings_are_of(account_id, basis.settings_of):
            return False
        link = self._links.of_woo(account_id, woo)
        is_linked = woo in basis.linked and link is not None and link.epos_customer_id == basis.linked[woo]
        return is_linked or (woo in basis.removals and (account_id, woo) in self._links.removals)

    def _settings_are_of(self, account_id: AccountId, at: datetime | None) -> bool:
        return at is None or self.settings_of.get(account_id, at) == at

    async def next_type_version(
        self, lease: LaneLease, type_id: EposCustomerTypeId, *, at_least: int = 0, settings_of: datetime | None = None
    ) -> int | None:
        if not self._links.owns_lane(lease) or not self._settings_are_of(lease.account_id, settings_of):
            return None
        if type_id in self.type_hashes:
            self.type_hashes[type_id] = None
        return self._draw(("type", type_id), at_least)

    def _draw(self, key: tuple[str, int], at_least: int) -> int:
        now = (self._clock.database_now() - _EPOCH) // timedelta(microseconds=1)
        self.last_versions[key] = max(self.last_versions.get(key, 0) + 1, at_least + 1, now)
        return self.last_versions[key]

    async def confirm(self, lease: LaneLease, writes: Sequence[ConfirmedWrite]) -> None:
        raise_fault(self.faults, "confirm")
        if not self._links.owns_lane(lease):
            return
        self.confirmed += writes
        for write in writes:
            link = self._links.of_woo(lease.account_id, write.woo_customer_id)
            if link is not None and link.epos_customer_id == write.epos_customer_id:
                self._links.put(replace(link, content_hash=write.content_hash, hash_lapses=lease.lapses, as_of=write.as_of or link.as_of))
            else:
                self._rewrite(lease.account_id, [write.woo_customer_id])

    async def confirm_type(self, lease: LaneLease, type_id: EposCustomerTypeId, content_hash: bytes | None, *, gone: bool) -> None:
        if not self._links.owns_lane(lease):
            return
        self.type_hashes[type_id] = content_hash
        self.type_lapses[type_id] = lease.lapses
        if gone:
            self.gone_types.add(type_id)
        else:
            self.gone_types.discard(type_id)

    async def known_type_hash(self, lease: LaneLease, type_id: EposCustomerTypeId) -> bytes | None:
        return self.type_hashes.get(type_id) if self.type_lapses.get(type_id, 0) >= lease.lapses else None

    async def removal_done(self, lease: LaneLease, woo_customer_ids: Sequence[WooCustomerId]) -> None:
        if not self._links.owns_lane(lease):
            return
        self.removed += woo_customer_ids
        for each in woo_customer_ids:
            self._links.removals.pop((lease.account_id, each), None)
        self._rewrite(lease.account_id, woo_customer_ids)

    async def mark_gone(
        self,
        lease: LaneLease,
        *,
        epos: Sequence[EposCustomerId] = (),
        woo: Sequence[WooCustomerId] = (),
        of: Sequence[EposCustomerId] = (),
    ) -> None:
        if not self._links.owns_lane(lease):
            return
        self.gone_epos += epos
        self.gone_woo += woo
        self._links.mark_gone(lease.account_id, epos=epos, woo=woo, of=of)

    async def note_read(self, lease: LaneLease, epos: Sequence[EposCustomerId]) -> None:
        if not self._links.owns_lane(lease):
            return
        for link in [each for each in self._links.links if each.account_id == lease.account_id and each.epos_customer_id in epos]:
            self._links.put(replace(link, epos_read_at=self._clock.database_now()))

    def _clear_hashes(self, account_id: AccountId, woo_customer_ids: Sequence[WooCustomerId]) -> list[EposCustomerId]:
        links = [link for each in woo_customer_ids if (link := self._links.of_woo(account_id, each)) is not None]
        for link in links:
            self._links.put(replace(link, content_hash=None))
        return [link.epos_customer_id for link in links]

    def _rewrite(self, account_id: AccountId, woo_customer_ids: Sequence[WooCustomerId]) -> None:
        """Enqueues a new write of the till customers that are linked to these shop customers now."""
        for epos in self._clear_hashes(account_id, woo_customer_ids):
            self._links.enqueue_live(account_id, epos)
