"""The lease as this process sees it: the last gate before an outside write (invariant 3)."""

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
def test_with_less_than_five_seconds_nothing_is_sent() -> None:
    clock = FakeClock(100.0)
    lease = LeaseClock(SETTINGS, asked_at=100.0, clock=clock)
    clock.set(125.0)
    assert lease.seconds_allowed(20) == pytest.approx(3)
    clock.set(125.01)
    with pytest.raises(LeaseTooShort):
        lease.seconds_allowed(20)


def test_a_process_that_slept_past_its_lease_sends_nothing_until_it_is_renewed() -> None:
    clock = FakeClock(100.0)
    lease = LeaseClock(SETTINGS, asked_at=100.0, clock=clock)
    clock.set(500.0)
    with pytest.raises(LeaseTooShort):
        lease.seconds_allowed(1)
    lease.renewed(asked_at=499.0)
    assert lease.seconds_allowed(1) == 1


@pytest.mark.parametrize(("lease_seconds", "renewed_from"), [(30, 15.0), (6, 0.5), (9, 3.5)])
def test_before_a_write_it_is_renewed_while_there_is_enough_of_it(lease_seconds: float, renewed_from: float) -> None:
    """With a short lease half of it is too little to send anything."""
    clock = FakeClock(100.0)
    lease = LeaseClock(EngineSettings(lease_seconds=lease_seconds), asked_at=100.0, clock=clock)
    clock.set(100.0 + renewed_from - 0.01)
    assert not lease.wants_renewal_before_write
    assert lease.seconds_allowed(1) == 1
    clock.set(100.0 + renewed_from + 0.01)
    assert lease.wants_renewal_before_write


def test_it_wants_renewal_after_a_third() -> None:
    clock = FakeClock(100.0)
    lease = LeaseClock(SETTINGS, asked_at=100.0, clock=clock)
    assert not lease.wants_renewal
    clock.set(110.5)
    assert lease.wants_renewal
