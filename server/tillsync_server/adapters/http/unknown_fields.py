"""Removes fields that this release does not know from JSON messages.

A bridge may be newer than the service, and proto3 JSON refuses unknown fields. Binary messages do not need this, because protobuf ignores
their unknown fields.
"""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

_WELL_KNOWN = "google.protobuf."
"""Package of time stamps, field masks and similar messages, whose JSON form is no list of fields."""


def split_unknown(text: str, message: type[Message]) -> tuple[Any, list[str]]:
    """Returns the JSON of a ``message`` without its unknown fields, and the paths of these. Unknown values of known fields stay, and are
    refused later.

    Raises ValueError for a text that is no JSON, or has a name twice in one object.
    """
    unknown: list[str] = []
    descriptor: Any = message.DESCRIPTOR
    return _known_part(json.loads(text, object_pairs_hook=_each_name_once), descriptor, "", unknown), unknown


def _known_part(value: Any, descriptor: Descriptor, path: str, unknown: list[str]) -> Any:
    if not isinstance(value, dict) or descriptor.full_name.startswith(_WELL_KNOWN):
        return value
    fields = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    known: dict[str, Any] = {}
    for name, inner in value.items():
        field = fields.get(name)
        if field is None:
            unknown.append(f"{path}{name}"[:200])
        else:
            known[name] = _known_value(inner, field, f"{path}{name}", unknown)
    return known


def _known_value(value: Any, field: FieldDescriptor, path: str, unknown: list[str]) -> Any:
    message = field.message_type
    if message is None:
        return value
    if message.GetOptions().map_entry:
        inner = message.fields_by_name["value"].message_type
        if inner is None or not isinstance(value, dict):
            return value
        return {key: _known_part(each, inner, f"{path}.{key}.", unknown) for key, each in value.items()}
    if isinstance(value, list):
        return [_known_part(each, message, f"{path}[{position}].", unknown) for position, each in enumerate(value)]
    return _known_part(value, message, f"{path}.", unknown)


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a field stands there twice")
    return made
