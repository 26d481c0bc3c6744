"""Tolerant readers of the till's JSON rows. They accept keys in any case, names of V2 and V4, and null for an empty value.

Errors name the field that cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeVar

from tillsync_server.domain.customer import TillField
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Unreadable

T = TypeVar("T")
_MAX_IDENTIFIER = 2**63 - 1
_MAX_DIGITS = 18
"""Maximum digits on either side of the decimal point. 1e999999 is legal JSON, and its digits would take a megabyte."""
_SCALARS = (str, int, Decimal)
_MAX_SPELLINGS = 256
_SMALLEST, _WIDE = Decimal(1).scaleb(-_MAX_DIGITS), Context(prec=2 * _MAX_DIGITS + 2)


def unreadable_error(text: str) -> Unreadable:
    return Unreadable(Side.TILL, f"Epos Now's answer is not understood: {text}")


def endless_error(what: str, pages: int) -> Unreadable:
    return Unreadable(Side.TILL, f"Epos Now does not end {what}: {pages} pages, and still something new on each; report it to Epos Now")


class _Spelling(dict[str, str | None]):
    """Maps a field name in any case to the key of objects with the same keys, or to None when they have no such key.

    When keys differ only in case, the last one counts, as for a repeated key.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = {key.lower(): key for key in keys}

    def __missing__(self, name: str) -> str | None:
        key = self[name] = self._keys.get(name.lower())
        return key


_spelling = lru_cache(maxsize=_MAX_SPELLINGS)(_Spelling)
"""Caches the spelling per key set, because rows of a list share their keys. Lowering the keys of every row took a third of the time of
reading a list page."""


class Row:
    """One JSON object of the till. ``what`` (for example "customer") is its name in error texts, which never quote a value.

    Methods take alternative names of a field; the first one that is present and not null counts. Conversions raise Unreadable.
    """

    __slots__ = ("_spelling", "_value", "unread", "what")

    def __init__(self, value: Any, what: str) -> None:
        if not isinstance(value, dict):
            raise unreadable_error(f"{what} is {_json_kind(value)}, not an object")
        self.what = what
        self.unread: set[TillField] = set()
        self._value = value
        self._spelling = _spelling(tuple(value))

    def has(self, name: str) -> bool:
        return self._spelling[name] is not None

    def first(self, *names: str) -> Any:
        """Returns the value of the first of these fields that is present and not null, or None."""
        for name in names:  # A loop is faster than a generator here: it runs for every field of every row of a list page.
            if (found := self._value.get(self._spelling[name])) is not None:
                return found
        return None

    def text(self, *names: str) -> str:
        value = self.first(*names)
        if value is None:
            return ""
        if isinstance(value, str) and value.isascii() and "\x00" not in value:
            return value
        if isinstance(value, bool) or not isinstance(value, _SCALARS):
            raise self._field_error(names, f"is {_json_kind(value)}, not a text")
        # JSON allows NUL and lone surrogates; the database does not.
        return str(value).replace("\x00", "").encode("utf-8", "replace").decode()

    def require(self, name: str) -> None:
        """Raises Unreadable when the object has no such field. An invented 0 would overwrite real points."""
        if not self.has(name):
            raise self._field_error((name,), "is missing: another API version may serve it")

    def decimal(self, *names: str) -> Decimal:
        """Returns a number; null and a missing field are 0."""
        value = self.first(*names)
        if value is None:
            return Decimal(0)
        if isinstance(value, bool) or not isinstance(value, _SCALARS):
            raise self._field_error(names, f"is {_json_kind(value)}, not a number")
        try:
            number = Decimal(value.strip() if isinstance(value, str) else value)
        except InvalidOperation as error:
            raise self._field_error(names, "is not a number") from error
        if not number.is_finite():
            raise self._field_error(names, "is not a number")
        if number.adjusted() > _MAX_DIGITS:
            raise self._field_error(names, "is out of range")
        # A float that should be 0 may arrive as 5.55e-17. Digits beyond ``_MAX_DIGITS`` places are rounding errors.
        return number.quantize(_SMALLEST, context=_WIDE) if _decimal_places(number) > _MAX_DIGITS else number

    def identifier(self, *names: str) -> int:
        found = self.optional_identifier(*names)
        if found is None:
            raise self._field_error(names, "is missing")
        return found

    def optional_identifier(self, *names: str, nested: Sequence[str] = ()) -> int | None:
        """Returns the id, or None for null and 0. ``nested`` names the id fields for a field that is an object instead of an id."""
        value = self.first(*names)
        if type(value) is int and 0 < value <= _MAX_IDENTIFIER:
            return value
        if isinstance(value, dict) and nested:
            return Row(value, f"{names[0]} of {self.what}").optional_identifier(*nested)
        if value is None or value == 0 or value == "":
            return None
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if isinstance(value, Decimal) and value == value.to_integral_value() and value.adjusted() <= _MAX_DIGITS:
            text = str(int(value))
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and 0 < int(text) <= _MAX_IDENTIFIER):
            raise self._field_error(names, "is not an id")
        return int(text)

    def text_or_unread(self, field: TillField, name: str) -> str:
        """Returns the text. For an unreadable value it returns "" and adds ``field`` to ``unread``."""
        return self.or_unread(field, self.text, name) or ""

    def or_unread(self, field: TillField, read: Callable[..., T], *names: str, **options: Any) -> T | None:
        """Returns the result of ``read``. When ``read`` raises Unreadable, it returns None and adds ``field`` to ``unread``."""
        try:
            return read(*names, **options)
        except Unreadable:
            self.unread.add(field)
            return None

    def _field_error(self, names: Sequence[str], problem: str) -> Unreadable:
        error = unreadable_error(f"field {names[0]} of a {self.what} {problem}")
        error.field = names[0]
        return error


def collect_texts(value: Any, *, deepest: int = 8) -> tuple[str, ...]:
    """Returns every text anywhere in ``value``, including keys of objects. A value below ``deepest`` levels counts as its ``str()``."""
    match value:
        case str():
            return (value,)
        case list() if deepest:
            return tuple(text for item in value for text in collect_texts(item, deepest=deepest - 1))
        case dict() if deepest:
            return tuple(text for pair in value.items() for item in pair for text in collect_texts(item, deepest=deepest - 1))
        case list() | dict():
            return (str(value),)
        case _:
            return ()


def _decimal_places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def require_array(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise unreadable_error(f"the list of {what}s is {_json_kind(value)}, not an array")
    return value


def readable_rows(values: Sequence[Any], read: Callable[[Any], T]) -> list[T]:
    """Returns the rows that ``read`` can read and skips the others. A skipped row raises when it is read by its id.

    Raises the first Unreadable when all rows are unreadable, because the list then belongs to another API.
    """
    rows: list[T] = []
    failed: Unreadable | None = None
    for value in values:
        try:
            rows.append(read(value))
        except Unreadable as error:
            failed = failed or error
    if failed is not None and not rows:
        raise failed
    return rows


def require_id(value: Any, what: str, *names: str) -> Any:
    """Returns ``value`` when it is an object with one of these ids.

    Otherwise it raises Unreadable without ``field``: the value is no row, so the whole answer is in doubt.
    """
    if Row(value, what).first(*names) is None:
        raise unreadable_error(f"field {names[0]} of a {what} is missing")
    return value


def unwrap_single(value: Any) -> Any:
    """Unwraps an array of one element; returns any other value unchanged. The till wraps some objects into an array."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _json_kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | Decimal():
            return "a number"
        case str():
            return "a text"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return type(value).__name__
