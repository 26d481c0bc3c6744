"""Settings of the runs of entries: leases, attempts, timeouts, and numbers of concurrent runs."""

from __future__ import annotations

from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.events.sender import EventSettings
from tillsync_server.application.flows.flow_services import FlowSettings
from tillsync_server.composition.settings.setting import EnvironmentSettings, setting
from tillsync_server.domain.backoff import RetryPolicy

LEASE_MARGIN_SECONDS = 5.0
"""Least time between the longest request timeout and the end of the lane's lease."""
EVENT_LEASE_MARGIN_SECONDS = 40.0
"""Time of an event lease beyond one request to the shop, because other forms of its address may be tried first."""
SETTLE_MARGIN_SECONDS = 60.0


class WorkSettings(EnvironmentSettings):
    lease_seconds: float = setting(
        30.0,
        "TILLSYNC_LEASE_SECONDS",
        "Lease of a lane. The lanes of a killed worker resume after this time. At least the greater upstream timeout + 5.",
        unit="s",
        ge=6,
        le=600,
    )
    max_attempts: int = setting(8, "TILLSYNC_MAX_ATTEMPTS", "Charged attempts of an entry before it is FAILED.", ge=1, le=50)
    retry_base_seconds: float = setting(
        30.0,
        "TILLSYNC_RETRY_BASE_SECONDS",
        "First delay between attempts. Each next delay is four times longer, at most 12 h.",
        unit="s",
        gt=0,
        le=3600,
    )
    till_timeout_seconds: float = setting(
        15.0, "TILLSYNC_TILL_TIMEOUT_SECONDS", "Total time of one request to Epos Now.", unit="s", gt=0, le=120
    )
    till_share: float = setting(
        0.5,
        "TILLSYNC_TILL_SHARE",
        "Part of a till's requests a minute that the service uses. The till has one limit for all apps of the company. 1 if no other app "
        "asks the till.",
        gt=0,
        le=1,
    )
    shop_timeout_seconds: float = setting(
        20.0, "TILLSYNC_SHOP_TIMEOUT_SECONDS", "Total time of one request to a shop.", unit="s", gt=0, le=120
    )
    settle_seconds: float | None = setting(
        None,
        "TILLSYNC_SETTLE_SECONDS",
        "Time after an unanswered create in which the till may still store it. The service sends no other create of that email before its "
        "end. At least lease + till timeout; a value below the default risks twins.",
        unit="s",
        shown="lease + till timeout + 60",
        gt=0,
        le=86400,
    )
    lane_slots: int = setting(
        2048, "TILLSYNC_LANE_SLOTS", "Accounts that this process works on at once. A quarter is reserved for live work.", ge=2, le=10_000
    )
    entry_slots: int = setting(
        16_384, "TILLSYNC_ENTRY_SLOTS", "Entries that run at once in this process. Each account has at least one.", ge=16, le=100_000
    )
    probe_slots: int = setting(
        32, "TILLSYNC_PROBE_SLOTS", "Tills and shops with a problem that this process probes at once.", ge=1, le=1000
    )
    poll_seconds: float = setting(
        1.0,
        "TILLSYNC_POLL_SECONDS",
        "Interval at which a process looks for work without a notification. For sales, order events and requeued work: five times this, "
        "at most 15 s.",
        unit="s",
        gt=0,
        le=60,
    )
    drain_seconds: float = setting(
        10.0, "TILLSYNC_DRAIN_SECONDS", "Grace for calls and entries under way when the service stops.", unit="s", ge=0, le=300
    )

    @property
    def longest_drain_seconds(self) -> float:
        """Time limit of a draining step of a stop: the grace, and ten seconds for its end."""
        return self.drain_seconds + 10

    @property
    def effective_settle_seconds(self) -> float:
        if self.settle_seconds is not None:
            return self.settle_seconds
        return self.lease_seconds + self.till_timeout_seconds + SETTLE_MARGIN_SECONDS

    def engine(self) -> EngineSettings:
        return EngineSettings(
            lease_seconds=self.lease_seconds,
            lane_slots=self.lane_slots,
            live_reserved_slots=max(self.lane_slots // 4, 1),
            entry_slots=self.entry_slots,
            probe_slots=self.probe_slots,
            poll_floor_seconds=self.poll_seconds,
            stop_grace_seconds=self.drain_seconds,
            retry=RetryPolicy(max_attempts=self.max_attempts, base_seconds=self.retry_base_seconds),
        )

    @property
    def side_work_seconds(self) -> float:  # bounds the delay after a notification that is lost, or that the release before does not send
        return min(5 * self.poll_seconds, 15.0)

    def events(self) -> EventSettings:
        return EventSettings(poll_seconds=self.side_work_seconds, lease_seconds=self.shop_timeout_seconds + EVENT_LEASE_MARGIN_SECONDS)

    def flows(self) -> FlowSettings:
        return FlowSettings(settle_seconds=self.effective_settle_seconds)

    def work_problems(self) -> list[str]:
        found = []
        slowest = max(self.till_timeout_seconds, self.shop_timeout_seconds)
        if self.lease_seconds < slowest + LEASE_MARGIN_SECONDS:
            found.append(
                f"TILLSYNC_LEASE_SECONDS is {self.lease_seconds:g}: with upstream timeouts of {self.till_timeout_seconds:g} s (till) and "
                f"{self.shop_timeout_seconds:g} s (shop) it must be at least {slowest + LEASE_MARGIN_SECONDS:g}, or the timeouts lower"
            )
        shortest_settle = self.lease_seconds + self.till_timeout_seconds
        if self.effective_settle_seconds < shortest_settle:
            found.append(
                f"TILLSYNC_SETTLE_SECONDS is {self.effective_settle_seconds:g}: with a lease of {self.lease_seconds:g} s and a till "
                f"timeout of {self.till_timeout_seconds:g} s it must be at least {shortest_settle:g}, or a create still under way is "
                "sent again"
            )
        return found
