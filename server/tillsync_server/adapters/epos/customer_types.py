"""The CustomerType resource (docs/epos-now.md#customer-types).

No source shows CustomerType in V4. ``CustomerTypeV4`` follows the pattern of V4 Customer, and V2 is the default.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tillsync_server.adapters.epos.requests import TillRequests
from tillsync_server.adapters.epos.rows import Row, endless_error, readable_rows, require_array, require_id, unreadable_error, unwrap_single
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Misaddressed, Missing
from tillsync_server.domain.ids import EposCustomerTypeId

_MAX_PAGES = 100
"""Page limit of one list: tens of thousands of types. Beyond it the list counts as endless."""


def read_row(value: Any) -> TillCustomerType:
    row = Row(value, "customer type")
    return TillCustomerType(
        epos_customer_type_id=EposCustomerTypeId(row.identifier("CustomerTypeID", "TypeId", "Id")),
        name=row.text("Name"),
        discount=row.decimal("Discount"),
        description=row.text("Description"),
    )


class CustomerTypeResource:
    path: ClassVar[str]

    def __init__(self, requests: TillRequests) -> None:
        self._requests = requests

    async def read(self, type_id: EposCustomerTypeId) -> TillCustomerType:
        answer = await self._requests.get(f"{self.path}/{type_id}")
        found = read_row(require_id(unwrap_single(answer.json()), "customer type", "CustomerTypeID", "TypeId", "Id"))
        if found.epos_customer_type_id != type_id:
            raise unreadable_error(f"asked for customer type {type_id}, it served customer type {found.epos_customer_type_id}")
        return found

    async def list_all(self) -> list[TillCustomerType]:
        """Returns the types of all pages. A till that does not page its types repeats page 1, and the repetition ends the loop.

        Raises Misaddressed on 404, Unreadable after ``_MAX_PAGES`` pages.
        """
        found: dict[EposCustomerTypeId, TillCustomerType] = {}
        for number in range(1, _MAX_PAGES + 1):
            try:
                answer = await self._requests.get(self.path, {"page": number})
            except Missing as error:
                text = f"Epos Now has no list of customer types there: check base address and API version ({error.text})"[:500]
                raise Misaddressed(Side.TILL, text, status=error.status, body_text=error.body_text) from error
            before = len(found)
            for row in readable_rows(require_array(answer.json(), "customer type"), read_row):
                found.setdefault(row.epos_customer_type_id, row)
            if len(found) == before:
                return list(found.values())
        raise endless_error("its list of customer types", _MAX_PAGES)


class CustomerTypeV2(CustomerTypeResource):
    path = "/api/V2/CustomerType"


class CustomerTypeV4(CustomerTypeResource):
    path = "/api/v4/CustomerType"
