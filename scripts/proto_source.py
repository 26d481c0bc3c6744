"""Writes the source of a proto from its descriptor, for packages that have only the descriptor."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto

_LABELS = {
    FieldDescriptorProto.LABEL_OPTIONAL: "optional",
    FieldDescriptorProto.LABEL_REQUIRED: "required",
    FieldDescriptorProto.LABEL_REPEATED: "repeated",
}


def proto_source(file: FileDescriptorProto) -> str:
    """Returns a proto2 file with the messages, enums and extensions of ``file``. It has no comments and options, because a compiler needs
    only names, types and numbers. Raises ValueError if ``file`` has an element that this function cannot write."""
    if file.syntax not in ("", "proto2") or file.service:
        raise ValueError(f"{file.name}: only proto2 files without services can be written")
    lines = ['syntax = "proto2";', f"package {file.package};", ""]
    lines += [f'import "{name}";' for name in file.dependency]
    for message in file.message_type:
        lines += _message(message)
    for enum in file.enum_type:
        lines += _enum(enum)
    for extension in file.extension:
        lines += [f"extend {extension.extendee} {{", _field(extension), "}"]
    return _indented(lines)


def _indented(lines: list[str]) -> str:
    """Formats the source as ``buf format`` does."""
    text, depth = "", 0
    for line in lines:
        depth -= line == "}"
        text += f"{'  ' * depth}{line}".rstrip() + "\n"
        depth += line.endswith("{")
    return text


def _message(message: DescriptorProto) -> Iterator[str]:
    yield f"message {message.name} {{"
    for nested in message.nested_type:
        if nested.options.map_entry:
            raise ValueError(f"{message.name}: maps cannot be written")
        yield from _message(nested)
    for enum in message.enum_type:
        yield from _enum(enum)
    yield from (_field(field) for field in message.field if not field.HasField("oneof_index"))
    for index, oneof in enumerate(message.oneof_decl):
        choices = [field for field in message.field if field.HasField("oneof_index") and field.oneof_index == index]
        yield from (f"oneof {oneof.name} {{", *(_field(field, label="") for field in choices), "}")
    for extensions in message.extension_range:
        yield f"extensions {extensions.start} to {extensions.end - 1};"
    for reserved in message.reserved_range:
        yield f"reserved {reserved.start} to {reserved.end - 1};"
    yield "}"


def _enum(enum: EnumDescriptorProto) -> Iterator[str]:
    yield f"enum {enum.name} {{"
    if enum.options.allow_alias:
        yield "option allow_alias = true;"
    for value in enum.value:
        yield f"{value.name} = {value.number};"
    yield "}"


def _field(field: FieldDescriptorProto, *, label: str | None = None) -> str:
    kind = field.type_name or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"{_LABELS[field.label] if label is None else label} {kind} {field.name} = {field.number};".lstrip()
