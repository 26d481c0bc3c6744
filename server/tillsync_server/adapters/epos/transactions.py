"""The Transaction resource. Only its customer is read.

No recording or document shows this resource (docs/epos-now.md#transactions). V4 ``GET /Transaction/{id}`` appears in code that looks as if
it ran (grade C). The V2 address and the field names follow the pattern of V2 (I). The customer as a nested object is a guess (?). The
client first uses the version that reads customers. It uses the other version when the first has no such address or no such transaction.
"""

from __future__ import annotations

from typing import Any

from tillsync_server.adapters.epos.requests import TillRequests
from tillsync_server.adapters.epos.rows import Row, unreadable_error, unwrap_single
from tillsync_server.domain.enums import TillApiVersion
from tillsync_server.domain.errors import Blocked, Misaddressed, Missing
from tillsync_server.domain.ids import EposCustomerId

_PATHS = {TillApiVersion.V2: "/api/V2/Transaction", TillApiVersion.V4: "/api/v4/Transaction"}


class TransactionResource:
    def __init__(self, requests: TillRequests, first: TillApiVersion) -> None:
        self._requests = requests
        self._paths = [_PATHS[first], *(path for version, path in _PATHS.items() if version is not first)]

    async def read_buyer(self, transaction_id: int) -> EposCustomerId | None:
        errors: list[Missing | Misaddressed] = []
        for path in self._paths:
            try:
                answer = await self._requests.get(f"{path}/{transaction_id}")
            except Blocked:
                raise
            except (Missing, Misaddressed) as error:
                errors.append(error)
            else:
                return _buyer_of(answer.json(), transaction_id)
        raise next((error for error in errors if isinstance(error, Missing)), errors[0])


def _buyer_of(value: Any, transaction_id: int) -> EposCustomerId | None:
    row = Row(unwrap_single(value), "transaction")
    served = row.identifier("TransactionID", "Id")
    if served != transaction_id:
        raise unreadable_error(f"asked for transaction {transaction_id}, it served transaction {served}")
    buyer_id = row.optional_identifier("CustomerId", "Customer", nested=("CustomerId", "Id"))
    return None if buyer_id is None else EposCustomerId(buyer_id)
