"""Settings from an environment, and what is wrong with them in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from tillsync_server.composition.settings.service import ServiceSettings, variables


class SettingsError(ValueError):
    """Settings that cannot be served with. ``problems``: one line each, naming the variable and the remedy."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class _GivenSettings(ServiceSettings):
    """From a mapping instead of the process's environment."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_settings(environment: Mapping[str, str] | None = None) -> ServiceSettings:
    """From ``environment`` (default: the process's). Raises SettingsError with every problem of a single variable."""
    try:
        if environment is None:
            return ServiceSettings()
        given: dict[str, Any] = {variable: environment[variable] for variable in variables() if environment.get(variable)}
        return _GivenSettings(**given)
    except ValidationError as error:
        raise SettingsError([_wording(detail["loc"], detail["msg"]) for detail in error.errors(include_input=False)]) from None


def _wording(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text if not location or text.startswith(str(location[0])) else f"{location[0]}: {text}"
