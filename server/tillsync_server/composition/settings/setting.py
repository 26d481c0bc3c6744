"""One setting: a field that is read from one environment variable."""

from __future__ import annotations

from typing import Any

from pydantic import Field
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
