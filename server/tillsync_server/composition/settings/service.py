"""All settings of a process, and the checks across them."""

from __future__ import annotations

from typing import Literal

from tillsync_server.composition.settings.intake import IntakeSettings
from tillsync_server.composition.settings.network import NetworkSettings
from tillsync_server.composition.settings.setting import EnvironmentSettings, is_secret, setting, variable_of
from tillsync_server.composition.settings.storage import StorageSettings
from tillsync_server.composition.settings.work import WorkSettings


class LogSettings(EnvironmentSettings):
    log_level: Literal["debug", "info", "warning", "error"] = setting("info", "TILLSYNC_LOG_LEVEL", "debug, info, warning or error.")
    log_format: Literal["json", "console"] = setting("json", "TILLSYNC_LOG_FORMAT", "json (one object a line) or console (for people).")


# `tillsync settings` lists the fields of the last base first
class ServiceSettings(LogSettings, IntakeSettings, WorkSettings, NetworkSettings, StorageSettings):
    """The service's settings. :func:`load_settings` makes them and words their problems."""

    def problems(self, *, serves: bool = True, works: bool = True) -> list[str]:
        """Returns the problems that prevent the start of ``serve`` (``serves``) or of a worker (``works``), one line each."""
        return [
            *(self.work_problems() if works else ()),
            *self.storage_problems(),
            *(self.network_problems() if serves else self.operations_problems()),
        ]


def variables() -> list[str]:
    return [variable_of(info) for info in ServiceSettings.model_fields.values()]


def secret_variables() -> list[str]:
    return [variable_of(info) for info in ServiceSettings.model_fields.values() if is_secret(info)]
