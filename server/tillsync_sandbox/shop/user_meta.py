"""User metas as WooCommerce merges and MySQL stores them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class MetaRow:
    meta_id: int
    key: str
    value: object
    """A text, or a list or object; numbers and booleans do not survive the database."""


def as_stored(value: object) -> object:
    """usermeta is a text column: 3.5 comes back as "3.5", true as "1", false as "". Arrays are serialised and come back whole."""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return json.dumps(int(value)) if value.is_integer() else json.dumps(value)
    return value


class UserMeta:
    """The rows of one user, with the rules of ``WC_Data::update_meta_data`` and ``save``."""

    def __init__(self, next_id: Callable[[], int]) -> None:
        self._next_id = next_id
        self.rows: list[MetaRow] = []

    def update(self, key: str, value: object, meta_id: int | None = None) -> None:
        """With a known ``meta_id`` that row takes key and value. Otherwise the first row of that key takes the value and further
        ones of the same key go; a new key is added. A null value deletes."""
        if meta_id:
            row = next((row for row in self.rows if row.meta_id == meta_id), None)
        else:
            same_key = [row for row in self.rows if row.key == key]
            row = same_key[0] if same_key else None
            self.rows = [other for other in self.rows if other.key != key or other is row]
        if row is None:
            self.rows = [other for other in self.rows if other.key != key]
            if value is not None and key:
                self.rows.append(MetaRow(self._next_id(), key, as_stored(value)))
        elif value is None:
            self.rows = [other for other in self.rows if other is not row]
        else:
            row.key = key
            row.value = as_stored(value)

    def add(self, key: str, value: object) -> None:
        """A further row under the same key, as ``add_user_meta`` or another plugin may leave one."""
        self.rows.append(MetaRow(self._next_id(), key, as_stored(value)))

    def as_dict(self) -> dict[str, object]:
        """By key; of several rows under one key the first, as ``get_user_meta(…, true)``."""
        values: dict[str, object] = {}
        for row in self.rows:
            values.setdefault(row.key, row.value)
        return values

    def as_json(self) -> list[dict[str, object]]:
        return [{"id": row.meta_id, "key": row.key, "value": row.value} for row in self.rows]
