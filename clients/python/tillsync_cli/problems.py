"""The problems of an account, from a server of any release."""

from __future__ import annotations

from collections.abc import Sequence

from tillsync.v1 import account_pb2, customer_sync_service_pb2


def problems_of(answer: account_pb2.Account | customer_sync_service_pb2.ListQueueResponse) -> Sequence[account_pb2.AccountProblem]:
    """The account's problems. A server from before the field ``problems`` sends only one."""
    if answer.problems or not answer.HasField("problem"):
        return answer.problems
    return [answer.problem]
