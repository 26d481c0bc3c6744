"""Search by name with the generic ``?Property=Value`` filter (docs/epos-now.md#customers, grade D). A till may ignore the filter."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tillsync_server.adapters.epos.customers import read_row
from tillsync_server.adapters.epos.requests import TillRequests
from tillsync_server.adapters.epos.rows import readable_rows, require_array
from tillsync_server.domain.customer import TillCustomer
from tillsync_server.domain.errors import Missing, Refused
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.ports.till import NameSearch

_FILTERS: tuple[tuple[str, Callable[[TillCustomer], str]], ...] = (
    ("Surname", lambda customer: customer.surname),
    ("Forename", lambda customer: customer.forename),
)


class _FilterIgnored(Exception):
    """A returned row does not contain the searched text, so the rows of this filter prove nothing."""


async def search_by_name(requests: TillRequests, path: str, text: str, *, limit: int) -> NameSearch:
    """Searches Surname, then Forename. A filter that the till ignores or refuses does not count; the other filter may still work."""
    if not text.strip():
        raise ValueError("an empty text cannot be searched for")
    found: dict[EposCustomerId, TillCustomer] = {}
    honoured_filters, truncated = 0, False
    for name, value_of in _FILTERS:
        try:
            more = await _search_by_filter(requests, path, name, value_of, text, limit)
        except (_FilterIgnored, Refused):
            continue
        honoured_filters += 1
        truncated = truncated or len(more) > limit
        found.update(more)
    return NameSearch(rows=tuple(found.values()), filter_ignored=honoured_filters == 0, truncated=truncated)


async def _search_by_filter(
    requests: TillRequests, path: str, name: str, value_of: Callable[[TillCustomer], str], text: str, limit: int
) -> dict[EposCustomerId, TillCustomer]:
    """Reads pages until one is empty or has no new row, or until more than ``limit`` rows are found. Raises _FilterIgnored."""
    found: dict[EposCustomerId, TillCustomer] = {}
    searched, number = text.strip().casefold(), 0
    while True:
        number += 1
        try:
            answer = await requests.get(path, {name: text, "page": number})
        except Missing:  # The till may answer a miss with 404. The callers' other reads detect a wrong address.
            return found
        rows = readable_rows(require_array(answer.json(), "customer"), partial(read_row, with_ledgers=False))
        if any(searched not in value_of(customer).casefold() for customer in rows):
            raise _FilterIgnored
        before = len(found)
        found.update((customer.epos_customer_id, customer) for customer in rows)
        if len(found) == before or len(found) > limit:
            return found
