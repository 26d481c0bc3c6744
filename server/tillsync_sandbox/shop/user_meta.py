"""User metas with the merge rules of WooCommerce and the storage rules of MySQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class MetaRow:
    meta_id: int
    key: str
    value: object
    """A text, a list or an object. The database converts numbers and booleans to texts."""


def as_stored(value: object) -> object:
    """Returns a value as the text column of usermeta returns it: 3.5 as "3.5", true as "1", false as "". Arrays are serialised and return
    unchanged.
    """
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return json.dumps(int(value)) if value.is_integer() else json.dumps(value)
    return value


class UserMeta:
    """The meta rows of one user, with the rules of ``WC_Data::update_meta_data`` and ``save``."""

    def __init__(self, next_id: Callable[[], int]) -> None:
        self._next_id = next_id
        self.rows: list[MetaRow] = []

    def update(self, key: str, value: object, meta_id: int | None = None) -> None:
        """Updates a meta. A null value deletes its row.

        With a known ``meta_id`` that row gets key and value. Without ``meta_id`` the first row of the key gets the value, and other rows of
        the key are deleted. A new key adds a row.
        """
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
        """Adds a further row under the same key, as ``add_user_meta`` or another plugin does."""
        self.rows.append(MetaRow(self._next_id(), key, as_stored(value)))

    def as_dict(self) -> dict[str, object]:
        """Returns the values by key. Of several rows under one key the first counts, as in ``get_user_meta(…, true)``."""
        values: dict[str, object] = {}
        for row in self.rows:
            values.setdefault(row.key, row.value)
        return values

    def as_json(self) -> list[dict[str, object]]:
        return [{"id": row.meta_id, "key": row.key, "value": row.value} for row in self.rows]
