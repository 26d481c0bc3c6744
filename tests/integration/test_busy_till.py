"""A till that refuses requests although tillsync's part of its limit is not used up. A warning says that another app is busy."""

from __future__ import annotations

import re

import pytest
from support.postgres import TestDatabase
from support.service import running_service
from tillsync.v1 import account_pb2, vocabulary_pb2
from tillsync_sandbox import SandboxTill
from tillsync_sandbox.till.switches import LimitMode

pytestmark = pytest.mark.integration
ACCOUNT = "shop-1"


async def test_busy_till_is_a_warning_of_every_account_of_the_till(database: TestDatabase) -> None:
    async with SandboxTill() as till, running_service(database.dsn, works=False, changes={"TILLSYNC_TILL_SHARE": "0.5"}) as service:
        accounts = service.client.accounts
        epos = account_pb2.EposSettings(base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret)
        epos.requests_per_minute = 6_000
        for name in (ACCOUNT, "shop-2"):
            account = account_pb2.Account(till_id="company", shared_till=True, epos=epos)
            await accounts.create_account(name, account)
        till.switches.limit, till.switches.limit_requests = LimitMode.TOO_MANY, 0
        await accounts.check_account(ACCOUNT)
        for name in (ACCOUNT, "shop-2"):
            [warning] = (await accounts.get_account(name)).warnings
            assert (warning.reason, warning.side) == (account_pb2.WARNING_REASON_TILL_BUSY, vocabulary_pb2.SIDE_TILL)
            assert re.fullmatch(
                r"Epos Now refuses requests although tillsync uses only 3,000 of its 6,000 a minute: another app of this company is busy\. "
                r"tillsync takes half of that until \d\d:\d\d UTC\.",
                warning.text,
            ), warning.text
            assert warning.remedy.startswith("Nothing has to be done.")
            assert warning.count == 3_000
            assert abs(warning.since.ToSeconds() - warning.last_time.ToSeconds()) <= 1
