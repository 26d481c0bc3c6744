"""A setting: a field that is read from one environment variable."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict


class EnvironmentSettings(BaseSettings):
    """Settings of one topic. ``ServiceSettings`` joins all topics."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, case_sensitive=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )


def setting(default: Any, variable: str, meaning: str, *, unit: str = "", shown: str = "", **limits: Any) -> Any:
    """Declares a setting. ``shown``: the text of a computed default in lists."""
    return Field(
        default=default, validation_alias=variable, description=meaning, json_schema_extra={"unit": unit, "shown": shown}, **limits
    )


def variable_of(info: FieldInfo) -> str:
    assert isinstance(info.validation_alias, str)
    return info.validation_alias


def is_secret(info: FieldInfo) -> bool:
    """Returns whether the setting is a secret. A file may have its value; the variable with the suffix ``_FILE`` names the file."""
    return SecretStr in get_args(info.annotation)


def file_variable(variable: str) -> str:
    return f"{variable}_FILE"
