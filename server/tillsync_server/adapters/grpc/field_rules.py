"""Reads the ``buf.validate`` rules of the contract's fields from their descriptors.

The generated code carries the rules as the bytes of an unknown option. This module declares only the rules that requests use, with the
names and numbers of ``buf/validate/validate.proto``. An undeclared rule raises ValueError, so that no rule is ignored. A test compares the
declarations and the results of the rules with protovalidate.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

_PACKAGE = "tillsync.rules"
DECLARED: dict[str, dict[str, tuple[int, str]]] = {
    "FieldOptions": {"field": (1159, "FieldRules")},
    "FieldRules": {
        "required": (25, "bool"),
        "ignore": (27, "int32"),
        "int32": (3, "Int32Rules"),
        "int64": (4, "Int64Rules"),
        "string": (14, "StringRules"),
        "enum": (16, "EnumRules"),
        "repeated": (18, "RepeatedRules"),
    },
    "Int32Rules": {"gt": (4, "int32"), "gte": (5, "int32")},
    "Int64Rules": {"gt": (4, "int64"), "gte": (5, "int64")},
    "StringRules": {"max_len": (3, "uint64"), "pattern": (6, "string")},
    "EnumRules": {"defined_only": (2, "bool"), "not_in": (4, "repeated int32")},
    "RepeatedRules": {"max_items": (2, "uint64"), "items": (4, "FieldRules")},
}
"""Number and type of each field, by message and field name."""

IGNORE_ALWAYS = 3


def rules_of(field: FieldDescriptor) -> Any:
    """Returns the ``buf.validate.FieldRules`` of a field; they are empty if it has none. Raises ValueError for an undeclared rule."""
    rules = _OPTIONS.FromString(field.GetOptions().SerializeToString()).field
    if _has_undeclared(rules):
        raise ValueError(f"{field.full_name} has a rule of buf.validate that adapters/grpc/field_rules.py does not read")
    return rules


def _has_undeclared(message: Message) -> bool:
    if len(UnknownFieldSet(message)):
        return True
    return any(_has_undeclared(value) for field, value in message.ListFields() if field.message_type is not None)


def _options_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="tillsync/rules.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in DECLARED.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind) in fields.items():
            *repeated, kind = kind.split()
            field = message.field.add(name=field_name, number=number)
            field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if kind in DECLARED:
                field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = field.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.FieldOptions"))


_OPTIONS = _options_class()
