"""The request checks and protovalidate refuse the same fields of generated requests. The declared rules match the rules' own proto."""

from __future__ import annotations

from typing import Any

import protovalidate
import pytest
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from protovalidate._gen.buf.validate import validate_pb
from support.request_messages import behaviours, requests
from tillsync.v1 import customer_sync_service_pb2
from tillsync_server.adapters.grpc.field_rules import DECLARED, IGNORE_ALWAYS, rules_of
from tillsync_server.adapters.grpc.request_checks import check_of

COMPARED = (*requests(), customer_sync_service_pb2.OrderToMatch.DESCRIPTOR)
VALIDATOR = protovalidate.Validator()
CHARACTERS = st.sampled_from(["a", "Z", "7", " ", "é", "😀", "\u202e", "\u2028", "\x00", "\n", "\x7f", "\x85", "\x9f", "\xa0"])
_FIRST, _LAST = -62_135_596_800, 253_402_300_799


def texts(rules: Any) -> st.SearchStrategy[str]:
    limit = rules.string.max_len or 64
    lengths = st.sampled_from([0, 1, 2, limit - 1, limit, limit + 1])
    plain = st.builds(lambda character, length: character * length, CHARACTERS, lengths)
    tailed = st.builds(lambda head, tail: head + tail, plain, st.text(CHARACTERS, max_size=2))
    return st.one_of(plain, tailed, st.sampled_from(["", "0" * 64, "aF" * 32, "0" * 63, "g" * 64, "0" * 64 + "\n"]))


def values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    """A strategy for one item of the field."""
    rules = rules_of(field)
    if field.type == FieldDescriptor.TYPE_STRING:
        return texts(rules)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_ENUM:
        assert field.enum_type is not None
        return st.sampled_from([*(value.number for value in field.enum_type.values), 99, -1])
    if field.message_type is not None:
        return messages(field.message_type, depth - 1)
    bits = 31 if field.type == FieldDescriptor.TYPE_INT32 else 63
    return st.sampled_from([0, 1, -1, 7, 2**bits - 1, -(2**bits)])


@st.composite
def messages(draw: st.DrawFn, kind: Descriptor, depth: int = 4) -> Message:
    made: Message = message_factory.GetMessageClass(kind)()
    message: Any = made
    if kind.full_name == "google.protobuf.Timestamp":  # an invalid time has no rule
        message.seconds = draw(st.sampled_from([_FIRST, 0, _LAST]))
        return made
    if kind.full_name.startswith("google."):
        return made
    for field in kind.fields:
        if field_behavior_pb2.OUTPUT_ONLY in behaviours(field) or not draw(st.integers(0, 5)) or (depth == 0 and field.message_type):
            continue
        if field.is_repeated:
            most = rules_of(field).repeated.max_items or 3
            items = draw(st.lists(values(field, depth), max_size=3))
            if draw(st.booleans()) and items and field.message_type is None:
                items = (items * most)[: most + draw(st.integers(0, 1))]
            getattr(message, field.name).extend(items)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(draw(values(field, depth)))
        else:
            setattr(message, field.name, draw(values(field, depth)))
    return made


def refused_by_protovalidate(message: Message) -> set[str]:
    return {_path(violation.proto) for violation in VALIDATOR.collect_violations(message)}


def _path(violation: Any) -> str:
    steps = []
    for step in violation.field.elements:
        subscript = step.subscript
        steps.append(step.field_name + (f"[{subscript.value}]" if subscript is not None and subscript.field == "index" else ""))
    return ".".join(steps)


@pytest.mark.parametrize("kind", COMPARED, ids=lambda kind: kind.name)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_request_checks_and_protovalidate_refuse_the_same_fields(kind: Descriptor, data: st.DataObject) -> None:
    message = data.draw(messages(kind))
    ours = {violation.field for violation in check_of(kind).violations(message)}
    theirs = refused_by_protovalidate(message)
    # a too long list is refused without checks of its items
    assert ours == {path for path in theirs if not any(path.startswith(f"{list_path}[") for list_path in ours)}


def test_declared_rules_match_the_proto_of_protovalidate() -> None:
    file = FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    theirs = {message.name: {field.name: field for field in message.field} for message in file.message_type}
    theirs["FieldOptions"] = {field.name: field for field in file.extension if field.extendee == ".google.protobuf.FieldOptions"}
    for message, fields in DECLARED.items():
        for name, (number, kind) in fields.items():
            there = theirs[message][name]
            assert there.number == number, f"{message}.{name}"
            *repeated, kind = kind.split()
            assert (there.label == FieldDescriptorProto.LABEL_REPEATED) == bool(repeated)
            if kind in DECLARED:
                assert there.type_name == f".buf.validate.{kind}"
            elif name != "ignore":  # an enum, compared by its numbers
                assert FieldDescriptorProto.Type.Name(there.type) == f"TYPE_{kind.upper()}"
    [ignore] = [enum for enum in file.enum_type if enum.name == "Ignore"]
    assert {value.name: value.number for value in ignore.value}["IGNORE_ALWAYS"] == IGNORE_ALWAYS


def test_unsupported_rule_raises_value_error() -> None:
    file = FileDescriptorProto(name="strange.proto", package="strange", syntax="proto3")
    field = file.message_type.add(name="Strange").field.add(name="name", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1)
    field.options.MergeFromString(bytes.fromhex("ba4804 7202 7801"))  # (buf.validate.field).string.ipv4 = true
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    with pytest.raises(ValueError, match=r"strange\.Strange\.name has a rule"):
        rules_of(pool.FindMessageTypeByName("strange.Strange").fields[0])
