"""Loads the settings from an environment, and words their problems."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from tillsync_server.composition.settings.service import ServiceSettings, secret_variables, variables
from tillsync_server.composition.settings.setting import file_variable


class SettingsError(ValueError):
    """The settings do not allow a start. ``problems``: one line each, with the variable and the remedy."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class _GivenSettings(ServiceSettings):
    """Settings from a mapping instead of the process's environment."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_settings(environment: Mapping[str, str] | None = None) -> ServiceSettings:
    """Loads ``environment`` (default: the process's), and secrets also from the files that it names. Raises SettingsError with the problems
    of all single variables."""
    secrets, problems = _secrets_in_files(os.environ if environment is None else environment)
    try:
        if environment is None:
            settings = ServiceSettings(**secrets)
        else:
            given: dict[str, Any] = {variable: environment[variable] for variable in variables() if environment.get(variable)}
            settings = _GivenSettings(**given | secrets)
    except ValidationError as error:
        problems += [_wording(detail["loc"], detail["msg"]) for detail in error.errors(include_input=False)]
    if problems:
        raise SettingsError(problems)
    return settings


def _secrets_in_files(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Returns the secrets by variable, and the problems of their files. White space around a secret is removed, because editors end a file
    with a line break."""
    secrets: dict[str, Any] = {}
    problems: list[str] = []
    for variable in secret_variables():
        named = file_variable(variable)
        path = environment.get(named)
        if not path:
            continue
        if environment.get(variable):
            problems.append(f"{variable} and {named}: give one of them")
            continue
        try:
            secrets[variable] = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            problems.append(f"{named}: {path} cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            problems.append(f"{named}: {path} holds no UTF-8 text")
        else:
            if not secrets[variable]:
                problems.append(f"{named}: {path} is empty")
    return secrets, problems


def _wording(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text if not location or text.startswith(str(location[0])) else f"{location[0]}: {text}"
