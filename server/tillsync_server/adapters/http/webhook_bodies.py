"""The bodies of webhooks: which till customers or customer types they name. Keys in any case, V2 and V4 names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

MAX_BODY_BYTES = 256 * 1024
MAX_IDS = 500
_LARGEST_ID = 2**63 - 1


def subject_ids(body: bytes, keys: tuple[str, ...]) -> list[int]:
    """The ids a body names: an object (V2 or V4 names, any case), a bare id (deletes), or a list of either. ValueError says why not."""
    return list(dict.fromkeys(_subject_id(item, keys) for item in _items(body)))


def _items(body: bytes) -> list[Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the body is no JSON") from error
    items = content if isinstance(content, list) else [content]
    if not items or len(items) > MAX_IDS:
        raise ValueError(f"the body must name 1 to {MAX_IDS} objects")
    return items


def _subject_id(item: Any, keys: tuple[str, ...]) -> int:
    if not isinstance(item, Mapping):
        return _id(item)
    by_name = {str(name).lower(): value for name, value in item.items()}
    found = next((by_name[key] for key in keys if by_name.get(key) is not None), None)
    if found is None:
        raise ValueError(f"the body has none of the keys {', '.join(keys)}")
    return _id(found)


def _id(found: Any) -> int:
    if isinstance(found, str) and found.strip().isascii() and found.strip().isdigit() and len(found) <= 20:
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 < found <= _LARGEST_ID:
        raise ValueError("the id must be a whole number greater than 0")
    return found


async def read_at_most(request: web.Request, limit: int) -> bytes | None:
    """None when there is more, counted after decompression."""
    read = bytearray()
    while chunk := await request.content.readany():
        read += chunk
        if len(read) > limit:
            return None
    return bytes(read)
