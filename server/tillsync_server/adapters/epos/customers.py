"""The Customer resource in V2 and V4 (docs/epos-now.md#customers). One row reader understands the field names of both versions."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Hashable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Final

from tillsync_server.adapters.epos.requests import TillRequests
from tillsync_server.adapters.epos.rows import Row, collect_texts, endless_error, require_array, require_id, unreadable_error, unwrap_single
from tillsync_server.adapters.epos.seen_pages import SeenPages
from tillsync_server.adapters.http_client import Answer
from tillsync_server.domain.customer import NewTillCustomer, TillCustomer, TillField
from tillsync_server.domain.emails import TILL_EMAIL_MAX_LENGTH, normalise_email
from tillsync_server.domain.enums import Side, TillTypeField
from tillsync_server.domain.errors import Misaddressed, Missing, Refused, Unreadable
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId
from tillsync_server.domain.matching import exact_matches
from tillsync_server.ports.till import MAX_SEARCH_PAGES, CustomerPage, EmailSearch, ListedCustomer, UnreadRow, WritePermit

NAME_MAX_LENGTH: Final = 50
"""Characters of Forename and of Surname (docs/epos-now.md#customers, grade C)."""

_LOCATION_ID = re.compile(r"/(\d{1,19})/?(?:[?#].*)?$")


_TYPE_FIELDS: Final[dict[TillTypeField, tuple[str, ...]]] = {
    TillTypeField.AUTO: ("TypeId", "CustomerTypeId", "Type"),
    TillTypeField.TYPE_ID: ("TypeId",),
    TillTypeField.CUSTOMER_TYPE_ID: ("CustomerTypeId",),
    TillTypeField.TYPE: ("Type",),
}
_TYPE_ID_FIELDS: Final = ("CustomerTypeId", "TypeId", "Id")
"""Names of the id where the type is an object."""


def read_listed_customer(value: Any, *, with_ledgers: bool = True, type_field: TillTypeField = TillTypeField.AUTO) -> ListedCustomer:
    """Reads id and email of a row; ``ListedCustomer.read`` reads the other fields and names unreadable ones in ``unread``.

    Raises Unreadable when id or email is unreadable. With ``with_ledgers`` it also raises when the row has no field of points or of
    balance, because a guessed 0 would be synced. ``type_field`` names the field of the type; AUTO uses the first of the three fields that
    is present and not null.
    """
    row = Row(value, "customer")
    customer_id, email = EposCustomerId(row.identifier("CustomerID", "Id")), row.text("EmailAddress")
    if with_ledgers:
        row.require("CurrentPoints")
        row.require("CurrentBalance")
    return ListedCustomer(customer_id, email, partial(_read_customer, row, customer_id, email, type_field))


def read_row(value: Any, *, with_ledgers: bool = True, type_field: TillTypeField = TillTypeField.AUTO) -> TillCustomer:
    """Reads all fields of a row. Parameters and errors are those of :func:`read_listed_customer`."""
    return read_listed_customer(value, with_ledgers=with_ledgers, type_field=type_field).read()


def _read_customer(row: Row, customer_id: EposCustomerId, email: str, type_field: TillTypeField) -> TillCustomer:
    type_id = row.or_unread(TillField.TYPE, row.optional_identifier, *_TYPE_FIELDS[type_field], nested=_TYPE_ID_FIELDS)
    return TillCustomer(
        epos_customer_id=customer_id,
        forename=row.text_or_unread(TillField.FIRST_NAME, "Forename"),
        surname=row.text_or_unread(TillField.LAST_NAME, "Surname"),
        business_name=row.text_or_unread(TillField.BUSINESS_NAME, "BusinessName"),
        email=email,
        phone=row.text_or_unread(TillField.PHONE, "ContactNumber"),
        card_number=row.text_or_unread(TillField.CARD_NUMBER, "CardNumber"),
        type_id=None if type_id is None else EposCustomerTypeId(type_id),
        points=row.or_unread(TillField.POINTS, row.decimal, "CurrentPoints"),
        balance=row.or_unread(TillField.CREDIT, row.decimal, "CurrentBalance"),
        sign_up_date=row.text_or_unread(TillField.SIGN_UP_DATE, "SignUpDate"),
        unread=frozenset(row.unread),
    )


def new_row(customer: NewTillCustomer) -> dict[str, Any]:
    """Returns the object to POST, without empty fields. Raises Refused when the till cannot store a value; nothing is sent then."""
    if not customer.forename:
        raise _refused_error("Forename", "is missing")
    if not customer.sign_up_date:
        raise _refused_error("SignUpDate", "is missing")
    for field, value, limit in (
        ("Forename", customer.forename, NAME_MAX_LENGTH),
        ("Surname", customer.surname, NAME_MAX_LENGTH),
        ("EmailAddress", customer.email, TILL_EMAIL_MAX_LENGTH),
    ):
        if len(value) > limit:
            raise _refused_error(field, f"has {len(value)} characters, Epos Now stores {limit}: shorten it (nothing was sent)")
    optional = {
        "Surname": customer.surname,
        "EmailAddress": customer.email,
        "ContactNumber": customer.phone,
        "BusinessName": customer.business_name,
    }
    return {
        "Forename": customer.forename,
        **{field: value for field, value in optional.items() if value},
        "MaxCredit": 0,
        "SignUpDate": customer.sign_up_date,
    }


def _refused_error(field: str, problem: str) -> Refused:
    return Refused(Side.TILL, f"refused field: {field} {problem}", field=field)


class CustomerResource(ABC):
    path: ClassVar[str]
    searches_the_list: ClassVar[bool]
    """The search is the list with a filter, at the same address. Its pages have the page size of the list."""

    def __init__(self, requests: TillRequests, seen_pages: SeenPages, type_field: TillTypeField = TillTypeField.AUTO) -> None:
        self._requests = requests
        self._seen_pages = seen_pages
        self._type_field = type_field

    def _read_row(self, value: Any, *, with_ledgers: bool = True) -> ListedCustomer:
        return read_listed_customer(value, with_ledgers=with_ledgers, type_field=self._type_field)

    async def read(self, customer_id: EposCustomerId) -> TillCustomer:
        answer = await self._requests.get(f"{self.path}/{customer_id}")
        row = self._read_row(require_id(unwrap_single(answer.json()), "customer", "CustomerID", "Id"))
        if row.epos_customer_id != customer_id:
            raise unreadable_error(f"asked for customer {customer_id}, it served customer {row.epos_customer_id}")
        return row.read()

    def _read_page(self, answer: Any, number: int, *, with_ledgers: bool = True) -> CustomerPage:
        rows: list[ListedCustomer] = []
        unread: list[UnreadRow] = []
        for position, value in enumerate(require_array(answer, "customer"), start=1):
            try:
                rows.append(self._read_row(value, with_ledgers=with_ledgers))
            except Unreadable as error:
                unread.append(self._unread_row(value, position, error.text))
        return CustomerPage(rows=tuple(rows), number=number, unread=tuple(unread))

    def _unread_row(self, value: Any, position: int, reason: str) -> UnreadRow:
        customer_id: EposCustomerId | None = None
        listed: ListedCustomer | None = None
        with suppress(Unreadable):
            customer_id = EposCustomerId(Row(value, "customer").identifier("CustomerID", "Id"))
            listed = self._read_row(value, with_ledgers=False)
        return UnreadRow(position=position, customer_id=customer_id, reason=reason, texts=collect_texts(value), listed=listed)

    async def list_page(self, number: int) -> CustomerPage:
        if number < 1:
            raise ValueError(f"pages are counted from 1, not {number}")
        try:
            answer = await self._requests.get(self.path, {"page": number})
        except Missing as error:  # A till without customers answers an empty list, so a 404 means a wrong address.
            text = f"Epos Now has no list of customers there: check base address and API version ({error.text})"[:500]
            raise Misaddressed(Side.TILL, text, status=error.status, body_text=error.body_text) from error
        page = self._read_page(answer.json(), number)
        self._seen_pages.note(number, len(page.rows) + len(page.unread))
        return page

    async def search(self, text: str) -> EmailSearch:
        """Reads pages until one of these ends the search:

        - a page that is empty or has no new row;
        - a row without the searched text, which proves that the till ignores the filter;
        - a page with the email itself that is known to be the last page.

        A search without a match reads on past a page that looks like the last, because a create may follow.
        Raises Unreadable after MAX_SEARCH_PAGES pages.
        """
        if not text.strip():
            raise ValueError("an empty text cannot be searched for")
        found: dict[EposCustomerId, ListedCustomer] = {}
        unread: dict[Hashable, UnreadRow] = {}
        for number in range(1, MAX_SEARCH_PAGES + 1):
            try:
                page = self._read_page(await self._search_page(text, number), number, with_ledgers=False)
            except Missing:
                page = CustomerPage((), number)
            new_customers = [customer for customer in page.rows if customer.epos_customer_id not in found]
            new_unread = [row for row in page.unread if row.key not in unread]
            found.update((customer.epos_customer_id, customer) for customer in new_customers)
            unread.update((row.key, row) for row in new_unread)
            # invariant: ignored-filters-are-noticed
            filter_ignored = any(not _contains(customer.email, text) for customer in new_customers)
            # invariant: searches-read-every-page
            if filter_ignored or not (new_customers or new_unread) or self._ends_search(page, text):
                unread_rows = () if filter_ignored else tuple(unread.values())
                return EmailSearch(text, tuple(row.read() for row in found.values()), filter_ignored=filter_ignored, unread=unread_rows)
        raise endless_error("its search for one email", MAX_SEARCH_PAGES)

    def _ends_search(self, page: CustomerPage, text: str) -> bool:
        # invariant: unmatched-searches-are-read-on
        if not exact_matches(page.rows, text):
            return False
        return self.searches_the_list and not page.unread and self._seen_pages.is_last(len(page.rows))

    async def create(self, customer: NewTillCustomer, permit: WritePermit) -> EposCustomerId:
        try:
            answer = await self._requests.create(self._create_path, self._create_body(new_row(customer)), permit)
        except Missing as error:  # A POST names no customer, so only the address can be missing.
            text = f"Epos Now has no place to create customers there: check base address and API version ({error.text})"[:500]
            raise Misaddressed(Side.TILL, text, status=error.status, body_text=error.body_text) from error
        return _created_id(answer)

    @property
    @abstractmethod
    def _create_path(self) -> str: ...

    @abstractmethod
    def _create_body(self, row: dict[str, Any]) -> Any: ...

    @abstractmethod
    async def _search_page(self, text: str, number: int) -> Any:
        """Returns the JSON of one search page. Raises Missing when the till answers a miss with 404."""


class CustomerV2(CustomerResource):
    path = "/api/V2/Customer"
    searches_the_list = True

    @property
    def _create_path(self) -> str:
        return f"{self.path}/"

    def _create_body(self, row: dict[str, Any]) -> Any:
        return row

    async def _search_page(self, text: str, number: int) -> Any:
        return (await self._requests.get(self.path, {"EmailAddress": text, "page": number})).json()


class CustomerV4(CustomerResource):
    path = "/api/v4/Customer"
    searches_the_list = False

    @property
    def _create_path(self) -> str:
        return self.path

    def _create_body(self, row: dict[str, Any]) -> Any:
        return [row]

    async def _search_page(self, text: str, number: int) -> Any:
        # It is unknown whether GetByEmail pages its answer. Without paging the till repeats page 1, and the search ends. With paging, a
        # till that compares by "contains" may serve the searched email on a later page.
        query: dict[str, str | int] = {"email": text} if number == 1 else {"email": text, "page": number}
        answer = await self._requests.get(f"{self.path}/GetByEmail", query)
        found = answer.json()
        return [found] if isinstance(found, dict) else found


def _contains(email: str, text: str) -> bool:
    return text.strip().casefold() in email.casefold() or normalise_email(text) in normalise_email(email)


def _created_id(answer: Answer) -> EposCustomerId:
    """Returns the id from the object (in V4 perhaps inside an array), else from the Location header.

    Raises Unreadable without either: the till may have stored the customer under an unknown id.
    """
    location = _LOCATION_ID.search(answer.headers.get("Location", ""))
    try:
        return EposCustomerId(Row(unwrap_single(answer.json()), "created customer").identifier("CustomerID", "Id"))
    except Unreadable as error:
        if location is not None and int(location[1]) > 0:
            return EposCustomerId(int(location[1]))
        text = f"the create was answered HTTP {answer.status} without the new customer's id: {error.text}"[:500]
        raise Unreadable(Side.TILL, text, status=answer.status, body_text=answer.text, field=error.field) from error
