"""The lines of `tillsync settings`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from tillsync_server.composition.settings.service import ServiceSettings
from tillsync_server.composition.settings.setting import file_variable, is_secret, variable_of


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One line of `tillsync settings`. ``value``: the present value, or ``(set)`` for a secret. ``is_set``: whether the environment sets
    it."""

    variable: str
    value: str
    default: str
    unit: str
    meaning: str
    is_set: bool


def setting_lines(settings: ServiceSettings, environment: Mapping[str, str] | None = None) -> list[SettingLine]:
    source = os.environ if environment is None else environment
    lines = []
    for name, info in ServiceSettings.model_fields.items():
        extra = info.json_schema_extra
        assert isinstance(extra, dict)
        default = str(extra["shown"]) or _text(info.default)
        value, variable = getattr(settings, name), variable_of(info)
        meaning, is_set = info.description or "", bool(source.get(variable))
        if is_secret(info):
            meaning = f"{meaning} {file_variable(variable)} may name a file that holds it."
            is_set = is_set or bool(source.get(file_variable(variable)))
        lines.append(
            SettingLine(
                variable=variable,
                value=default if value is None or value == "" else _text(value),
                default=default,
                unit=str(extra["unit"]),
                meaning=meaning,
                is_set=is_set,
            )
        )
    return lines


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case SecretStr():
            return "(set)"
        case _:
            return str(value)
