"""Settings that limit how much one account may send."""

from __future__ import annotations

from tillsync_server.application.use_cases.admission import AdmissionSettings
from tillsync_server.composition.settings.setting import EnvironmentSettings, setting


class IntakeSettings(EnvironmentSettings):
    max_waiting_entries: int = setting(
        200_000,
        "TILLSYNC_MAX_WAITING_ENTRIES",
        "Waiting entries of one account before its calls get RESOURCE_EXHAUSTED. 0: no limit; then one account can fill the disk.",
        ge=0,
    )
    entries_per_second: float = setting(
        5_000.0,
        "TILLSYNC_ENTRIES_PER_SECOND",
        "Entries that one account may send to this process, on average. A batch counts as its entries. 0: no limit.",
        unit="1/s",
        ge=0,
    )
    burst_entries: float = setting(
        100_000.0, "TILLSYNC_BURST_ENTRIES", "Entries that one account may send at once after a quiet time.", ge=1
    )

    def admission(self) -> AdmissionSettings:
        return AdmissionSettings(
            max_waiting_entries=self.max_waiting_entries,
            entries_per_second=self.entries_per_second,
            burst_entries=self.burst_entries,
        )
