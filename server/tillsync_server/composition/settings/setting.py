"""One setting: a field that is read from one environment variable."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict


class EnvironmentSettings(BaseSettings):
    """Settings that belong together. ``ServiceSettings`` has all of them."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, case_sensitive=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )


def setting(default: Any, variable: str, meaning: str, *, unit: str = "", shown: str = "", **limits: Any) -> Any:
    """``shown``: how a default that is computed reads in the list."""
    return Field(
        default=default, validation_alias=variable, description=meaning, json_schema_extra={"unit": unit, "shown": shown}, **limits
    )


def variable_of(info: FieldInfo) -> str:
    assert isinstance(info.validation_alias, str)
    return info.validation_alias


def is_secret(info: FieldInfo) -> bool:
    """Its value may also stand in a file, which the variable with ``_FILE`` behind its name names."""
    return SecretStr in get_args(info.annotation)


def file_variable(variable: str) -> str:
    return f"{variable}_FILE"
