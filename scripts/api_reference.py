"""Builds the text of ``docs/api-reference.md``: services, methods, messages, fields, enums and errors of the contract.

Comments come from the protos, limits from their ``buf.validate`` rules, roles from ``adapters/grpc/access.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from error_reasons import REASONS
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from tillsync_server.adapters.grpc.access import ACCESS, AT_ONCE, WAITING
from tillsync_server.adapters.grpc.field_rules import rules_of
from tillsync_server.adapters.grpc.servicers.unbuilt import UNBUILT
from tillsync_server.adapters.grpc.status import CODES
from tillsync_server.adapters.http.connect_errors import HTTP_STATUS
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import InvalidArgument, RequestError, ResourceExhausted, Unavailable

PACKAGE = "tillsync.v1"
_INTRODUCTION = """\
# API reference

`make docs` writes this page from `protos/tillsync/v1`, the table of roles and the table of errors. [api.md](api.md) has examples for
Python, grpcurl, buf curl and curl, and says which answer a repeated call gets.

Over gRPC a method is `tillsync.v1.Service/Method`. Over HTTP it is a POST of JSON to `/tillsync.v1.Service/Method`. JSON writes field names
in lowerCamelCase. Every call needs a bearer token; [operating/accounts.md](operating/accounts.md#tokens) describes the roles.

[Methods](#methods) · [Shared messages](#shared-messages) · [Enums](#enums) · [Errors](#errors)
"""
_METHODS = """\
## Methods

A *read* changes nothing. A *repeatable* call may be sent again after a lost answer: the effect of the first call stands. *Once*: a
repeated call has another effect or answer.
"""
_ERRORS = """\
## Errors

Every error carries a `google.rpc.ErrorInfo` with the domain `tillsync` and one of these reasons. New reasons may come; branch on the code
first. INTERNAL with the reason `INTERNAL` is a fault of the service: its metadata has the `incident` number of the log.
"""
_ONCE = {"CreateToken": "once: makes another token", "DeleteLink": "once: NOT_FOUND after the first call"}
_READ = re.compile(r"(Get|List|Search|Explain|Export|BatchGet|Watch)[A-Z]")
_FIRST = "CustomerSyncService"
_NO_CONTROL = r"^\P{Cc}*$"
_DETAILS: dict[type[RequestError], str] = {
    InvalidArgument: "`BadRequest`: each field with its remedy",
    ResourceExhausted: "`RetryInfo`: when to call again",
    Unavailable: "`RetryInfo`: when to call again",
}


def reference_page(compiled: FileDescriptorSet) -> str:
    """Returns the page. ``compiled``: the contract's files with their source comments."""
    return _Reference(compiled).page()


class _Reference:
    def __init__(self, compiled: FileDescriptorSet) -> None:
        self._comments = dict(_comments(compiled))
        pool = descriptor_pool.DescriptorPool()
        for file in compiled.file:
            pool.Add(file)
        self._files: list[FileDescriptor] = [pool.FindFileByName(file.name) for file in compiled.file if file.package == PACKAGE]
        services = [service for file in self._files for service in file.services_by_name.values()]
        self._services: list[ServiceDescriptor] = sorted(services, key=lambda each: (each.name != _FIRST, each.name))
        self._messages = {message.full_name: message for file in self._files for message in file.message_types_by_name.values()}

    def page(self) -> str:
        lines = [_INTRODUCTION, *self._method_table()]
        shown = set[str]()
        for service in self._services:
            lines += self._service(service, shown)
        lines += ["", "## Shared messages"]
        for name, message in sorted(self._messages.items()):
            if name not in shown:
                lines += self._message(message)
        lines += ["", "## Enums"]
        for enum in sorted((each for file in self._files for each in file.enum_types_by_name.values()), key=lambda each: each.name):
            lines += self._enum(enum)
        return "\n".join([*lines, "", *_errors()]) + "\n"

    def _method_table(self) -> Iterator[str]:
        yield from (_METHODS, "| Method | What it does | Roles | Repeat |", "|---|---|---|---|")
        for service in self._services:
            for method in service.methods:
                purpose = re.split(r"(?<=[.?])\s", self._comment(method.full_name), maxsplit=1)[0]
                yield f"| [{method.name}](#{method.name.lower()}) | {_cell(purpose)} | {_roles(method)} | {_repeat(method)} |"

    def _service(self, service: ServiceDescriptor, shown: set[str]) -> Iterator[str]:
        yield from ("", f"## {service.name}", "", self._comment(service.full_name))
        for method in service.methods:
            yield from ("", f"### {method.name}", "", self._comment(method.full_name), "")
            yield f"- **Roles.** {_roles(method)}."
            yield f"- **Repeat.** {_repeat(method)}."
            yield from self._limits(method)
            for message in (method.input_type, method.output_type):
                yield from self._own_message(message, shown)

    def _limits(self, method: MethodDescriptor) -> Iterator[str]:
        path = _path(method)
        if path in AT_ONCE:
            yield f"- **At once.** {AT_ONCE[path]} calls for one account."
        if path in WAITING:
            yield "- **Waits.** The call may wait for its answer until shortly before its deadline, 8 s at most."
        if method.server_streaming:
            yield "- **Stream.** The answer is a stream of messages."
        if path in UNBUILT:
            yield "- **Not served yet.** The answer is UNIMPLEMENTED."

    def _own_message(self, message: Descriptor, shown: set[str]) -> Iterator[str]:
        """Yields a request or response, and the messages of its file that only requests and responses use."""
        if message.full_name in shown or message.full_name not in self._messages:
            return
        shown.add(message.full_name)
        yield from self._message(message, "####")
        for field in message.fields:
            kind = field.message_type
            if kind is not None and kind.file is message.file and message.file.name.endswith("_service.proto"):
                yield from self._own_message(kind, shown)

    def _message(self, message: Descriptor, level: str = "###") -> Iterator[str]:
        yield from ("", f"{level} {message.name}", "", self._comment(message.full_name))
        if message.fields:
            yield from ("", "| Field | Type | Rules | Meaning |", "|---|---|---|---|")
            for field in message.fields:
                yield f"| `{field.name}` | {self._type(field)} | {_cell(_rules(field))} | {_cell(self._comment(field.full_name))} |"

    def _type(self, field: FieldDescriptor) -> str:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            return f"map of {self._type(key)} to {self._type(value)}"
        kind = field.message_type or field.enum_type
        if kind is None:
            name = _SCALARS[field.type]
        elif kind.full_name.startswith(f"{PACKAGE}."):
            name = f"[{kind.name}](#{kind.name.lower()})"
        else:
            name = f"`{kind.full_name}`"
        return f"list of {name}" if field.is_repeated else name

    def _enum(self, enum: EnumDescriptor) -> Iterator[str]:
        yield from ("", f"### {enum.name}", "", self._comment(enum.full_name), "", "| Value | Number | Meaning |", "|---|---|---|")
        for value in enum.values:
            yield f"| `{value.name}` | {value.number} | {_cell(self._comment(f'{enum.full_name}.{value.name}'))} |"

    def _comment(self, name: str) -> str:
        return self._comments.get(name, "")


_SCALARS = {number: name.removeprefix("TYPE_").lower() for name, number in vars(FieldDescriptor).items() if name.startswith("TYPE_")}


def _comments(compiled: FileDescriptorSet) -> Iterator[tuple[str, str]]:
    """Yields the full name and the leading comment of each element. The name of a value begins with the name of its enum."""
    for file in compiled.file:
        if file.package == PACKAGE:
            for location in file.source_code_info.location:
                if location.leading_comments and (name := _name_at(file, location.path)):
                    paragraphs = location.leading_comments.split("\n\n")
                    yield name, "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).strip()


def _name_at(file: FileDescriptorProto, path: Sequence[int]) -> str:
    """Returns the full name of the element at ``path``. The numbers alternate between a field of the descriptor and an index in that field.
    The name is empty for the comment of a package, an import or an option."""
    element: Any = file
    names = [file.package]
    for number, index in zip(path[::2], path[1::2], strict=False):
        field = element.DESCRIPTOR.fields_by_number[number]
        if field.message_type is None or not field.is_repeated:
            return ""
        element = getattr(element, field.name)[index]
        names.append(element.name)
    return ".".join(names) if len(path) % 2 == 0 else ""


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _roles(method: MethodDescriptor) -> str:
    return ", ".join(role.name for role in Role if role in ACCESS[_path(method)])


def _repeat(method: MethodDescriptor) -> str:
    return _ONCE.get(method.name) or ("read" if _READ.match(method.name) else "repeatable")


def _rules(field: FieldDescriptor) -> str:
    behavior = map(field_behavior_pb2.FieldBehavior.Name, field.GetOptions().Extensions[field_behavior_pb2.field_behavior])
    words = [name.lower().replace("_", " ") for name in behavior]
    rules = rules_of(field)
    if rules.required and "required" not in words:
        words.append("required")
    if field.containing_oneof is not None and len(field.containing_oneof.fields) > 1:
        words.append(f"one of `{field.containing_oneof.name}`")
    words += _value_rules(rules)
    if rules.repeated.max_items:
        words.append(f"at most {rules.repeated.max_items:,} items")
    words += [f"each {word}" for word in _value_rules(rules.repeated.items)]
    return "; ".join(words)


def _value_rules(rules: Any) -> Iterator[str]:
    for numbers in (rules.int32, rules.int64):
        if numbers.HasField("gt"):
            yield f"greater than {numbers.gt}"
        if numbers.HasField("gte"):
            yield f"at least {numbers.gte}"
    if rules.string.HasField("max_len"):
        yield f"at most {rules.string.max_len:,} characters"
    if rules.string.HasField("pattern"):
        yield "no control characters" if rules.string.pattern == _NO_CONTROL else f"matches `{rules.string.pattern}`"
    if rules.enum.defined_only:
        yield "a defined value" + (" but not 0" if 0 in rules.enum.not_in else "")


def _errors() -> Iterator[str]:
    yield from (_ERRORS, "| gRPC code | Connect code, HTTP status | Further details |", "|---|---|---|")
    for error, code in CODES.items():
        connect = code.name.lower()
        yield f"| {code.name} | `{connect}`, {HTTP_STATUS[connect]} | {_DETAILS.get(error, '')} |"
    yield from ("", "| Reason | gRPC code | Meaning |", "|---|---|---|")
    for error, code in CODES.items():
        yield from (f"| `{reason}` | {code.name} | {_cell(meaning)} |" for reason, meaning in REASONS[error].items())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
