"""The facts of a web order, from which the order flow decides."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from tillsync_server.domain.emails import email_form_before, normalise_email
from tillsync_server.domain.enums import EmailConfirmation
from tillsync_server.domain.ids import OrderId, WooCustomerId


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class UnlinkedProduct:
    """A product of the order that has no link to a till product, according to the caller."""

    product_id: int
    variation_id: int = 0
    sku: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """``order_key`` is the caller's hex sha256 of WooCommerce's order key, and is never logged. ``woo_customer_id`` is None for a guest."""

    order_id: OrderId
    order_key: str
    order_number: str = ""
    create_time: datetime
    woo_customer_id: WooCustomerId | None = None
    woo_registered_at: datetime | None = None
    """When the shop customer registered, in whole seconds. None: the caller does not say."""
    account_email: str = ""
    billing_email: str = ""
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    phone: str = ""
    """Needed only to create a customer. The stored facts lose it when the order is PROCESSED (statement ``engine/complete``)."""
    unlinked_products: tuple[UnlinkedProduct, ...] = ()
    email_confirmation: EmailConfirmation | None = None
    """Whether the account email is confirmed. None: the caller does not say."""
    is_of_reused_id: bool = False
    """Set on arrival: another order had this id before. Not part of the hash."""

    @property
    def account_email_normalised(self) -> str:
        return normalise_email(self.account_email)

    @property
    def billing_email_normalised(self) -> str:
        return normalise_email(self.billing_email)

    @property
    def subject_label(self) -> str:
        """A label without the whole surname, by which support recognises the order: ``Ada B., order 1042``."""
        initial = f"{self.last_name.strip()[:1]}." if self.last_name.strip() else ""
        who = " ".join(part for part in (self.first_name.strip(), initial) if part) or self.company.strip()
        order = f"order {self.order_number or self.order_id}"
        return f"{who}, {order}" if who else order

    def facts_hash(self) -> bytes:
        """16 bytes over the facts that a decision depends on, so without number and phone. It uses no key, so it survives a rotation of
        TILLSYNC_SECRET_KEY."""
        return self._hash(self.account_email_normalised, self.billing_email_normalised)

    def facts_hashes(self) -> frozenset[bytes]:
        """The present hash of these facts, and the hash of the previous release with its form of the emails."""
        # invariant: facts-are-compared-in-both-forms
        return frozenset((self.facts_hash(), self._hash(email_form_before(self.account_email), email_form_before(self.billing_email))))

    def _hash(self, account_email: str, billing_email: str) -> bytes:
        facts: list[object] = [
            self.order_key,
            self.woo_customer_id or 0,
            account_email,
            billing_email,
            self.first_name,
            self.last_name,
            self.company,
            [[p.product_id, p.variation_id, p.sku, p.name] for p in sorted(self.unlinked_products)],
            # Included only if the caller says it, so that the hashes of older orders stay the same.
            *([] if self.email_confirmation is None else [int(self.email_confirmation)]),
        ]
        if self.woo_registered_at is not None:
            facts.append(self.woo_registered_at.isoformat())
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).digest()

    def to_json(self) -> dict[str, Any]:
        """The stored form (column ``entry.facts``). :meth:`from_json` reads it."""
        return {
            "order_id": self.order_id,
            "order_key": self.order_key,
            "order_number": self.order_number,
            "create_time": self.create_time.isoformat(),
            "woo_customer_id": self.woo_customer_id,
            **({} if self.woo_registered_at is None else {"woo_registered_at": self.woo_registered_at.isoformat()}),
            "account_email": self.account_email,
            "billing_email": self.billing_email,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "company": self.company,
            "phone": self.phone,
            "unlinked_products": [[p.product_id, p.variation_id, p.sku, p.name] for p in self.unlinked_products],
            **({"email_confirmation": int(self.email_confirmation)} if self.email_confirmation is not None else {}),
            **({"is_of_reused_id": True} if self.is_of_reused_id else {}),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> OrderFacts:
        """Reads the stored form. Ignores fields that another version of this service added."""
        registered, confirmation = stored.get("woo_registered_at"), stored.get("email_confirmation")
        return cls(
            **{
                **{name: value for name, value in stored.items() if name in _FACTS},
                "create_time": datetime.fromisoformat(stored["create_time"]),
                "woo_registered_at": None if registered is None else datetime.fromisoformat(registered),
                "email_confirmation": None if confirmation is None else EmailConfirmation(confirmation),
                "unlinked_products": tuple(
                    UnlinkedProduct(product_id=row[0], variation_id=row[1], sku=row[2], name=row[3]) for row in stored["unlinked_products"]
                ),
            }
        )


_FACTS = frozenset(each.name for each in fields(OrderFacts))
