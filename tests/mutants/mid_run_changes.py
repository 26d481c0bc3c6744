"""Invariant 6: a decision never rests on settings or links that changed while it was taken. Caught in mid-run, on the whole service."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_POSTGRES = "tillsync_server/adapters/postgres"
_FLOWS = "tillsync_server/application/flows"
_MID_RUN = "tests/acceptance/test_changes_in_mid_run.py"
_ORDERS_MID_RUN = "tests/acceptance/test_orders_in_mid_run.py"

MID_RUN_CHANGES = [
    Mutant(
        6,
        "a change of settings does not raise config_version",
        f"{_POSTGRES}/sql/accounts/raise_config_version.sql",
        "config_version = config_version + 1",
        "config_version = config_version",
        f"{_MID_RUN} customer_while and off and outcome",
    ),
    Mutant(
        6,
        "values are written to the shop on settings that have changed",
        f"{_FLOWS}/shop_writer.py",
        "            self._context.account.update_time,\n",
        "            None,\n",
        f"{_MID_RUN} customer_while and another and read",
    ),
    Mutant(
        6,
        "a customer type is written to the shop on settings that have changed",
        f"{_FLOWS}/customer_type_flow.py",
        "settings_of=self._account.update_time",
        "settings_of=None",
        f"{_MID_RUN} customer_type and off and read",
    ),
    Mutant(
        6,
        "a create is sent for an order that was linked, or whose settings changed, meanwhile",
        f"{_FLOWS}/create_protocol.py",
        "            if still_stands is not None and not await still_stands():",
        "            if False:",
        f"{_ORDERS_MID_RUN} nobody and hand and intent",
    ),
    Mutant(
        6,
        "an order makes its link on settings that have changed",
        f"{_POSTGRES}/order_linker.py",
        "    if lane.config_version != entry.config_version:\n        return False\n",
        "",
        f"{_ORDERS_MID_RUN} one and off and before and made",
    ),
    Mutant(
        6,
        "the hash of what a shop holds forgets which shop",
        "tillsync_server/domain/customer.py",
        "            account.shop.base_url,\n",
        "",
        "tests/acceptance/test_links_and_switches.py another_shop",
    ),
]
