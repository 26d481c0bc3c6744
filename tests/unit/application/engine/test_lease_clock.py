"""``LeaseClock`` is the last check before an outside write (invariant 3)."""

from __future__ import annotations

import pytest
from fakes.clock import FakeClock
from tillsync_server.application.engine.lease_clock import LeaseClock
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.domain.errors import LeaseTooShort

SETTINGS = EngineSettings(lease_seconds=30)


def test_a_write_must_end_two_seconds_before_the_lease() -> None:
    clock = FakeClock(100.0)
    lease = LeaseClock(SETTINGS, asked_at=100.0, clock=clock)
    assert lease.seconds_allowed(20) == 20
    clock.set(115.0)
    assert lease.seconds_allowed(20) == pytest.approx(13)


@pytest.mark.catches("writes-need-enough-lease")
def test_lease_of_less_than_five_seconds_permits_no_write() -> None:
    clock = FakeClock(100.0)
    lease = LeaseClock(SETTINGS, asked_at=100.0, clock=clock)
    clock.set(125.0)
    assert lease.seconds_allowed(20) == pytest.approx(3)
    clock.set(125.01)
    with pytest.raises(LeaseTooShort):
        lease.seconds_allowed(20)


def test_expired_lease_permits_no_write_until_renewed() -> None:
    clock = FakeClock(100.0)
    lease = LeaseClock(SETTINGS, asked_at=100.0, clock=clock)
    clock.set(500.0)
    with pytest.raises(LeaseTooShort):
        lease.seconds_allowed(1)
    lease.renewed(asked_at=499.0)
    assert lease.seconds_allowed(1) == 1


@pytest.mark.parametrize(("lease_seconds", "renewed_from"), [(30, 15.0), (6, 0.5), (9, 3.5)])
def test_lease_is_renewed_before_a_write_once_it_runs_low(lease_seconds: float, renewed_from: float) -> None:
    """Half of a short lease is too short for any write."""
    clock = FakeClock(100.0)
    lease = LeaseClock(EngineSettings(lease_seconds=lease_seconds), asked_at=100.0, clock=clock)
    clock.set(100.0 + renewed_from - 0.01)
    assert not lease.wants_renewal_before_write
    assert lease.seconds_allowed(1) == 1
    clock.set(100.0 + renewed_from + 0.01)
    assert lease.wants_renewal_before_write


def test_lease_wants_renewal_after_a_third() -> None:
    clock = FakeClock(100.0)
    lease = LeaseClock(SETTINGS, asked_at=100.0, clock=clock)
    assert not lease.wants_renewal
    clock.set(110.5)
    assert lease.wants_renewal
