"""Entries, attempts and problems as messages. Emails are masked. Of an order's facts only the order number is sent.

The contract's enum numbers equal the domain's (test_protos.py), so members are assigned directly. Messages are typed ``Any``
inside for that; a wrong field name raises. Messages are filled in place, because a copied nested message costs twice as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from tillsync.v1 import account_pb2, customer_sync_service_pb2, link_pb2, queue_entry_pb2

from tillsync_server.domain.account import Problem
from tillsync_server.domain.emails import mask_email
from tillsync_server.domain.entry import Attempt, Entry
from tillsync_server.domain.enums import EntryKind
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.shown_text import shown

ENTRIES_AT_A_TIME = 25
"""Entries that are written before other calls may run. They take about a millisecond."""
MAX_LINE = 1_000
"""Characters of a comment or a note in an answer."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(message: Timestamp) -> datetime:
    """Returns the time of a field in UTC. The field is set and in range; request_checks has checked the range."""
    return message.ToDatetime(UTC)


def set_time(target: Timestamp, time: datetime) -> None:
    """Writes ``time``, which has a time zone. Timestamp.FromDatetime costs seven times as much, and every entry has two or more times."""
    since = time - _EPOCH
    target.seconds = since.days * 86400 + since.seconds
    target.nanos = since.microseconds * 1000


def shown_lines(texts: Iterable[str]) -> list[str]:
    """Returns notes as they are shown. They may contain names of products, customers and fields from outside."""
    return [shown(text, most=MAX_LINE) for text in texts]


def fill_entry(message: queue_entry_pb2.QueueEntry, entry: Entry, *, with_attempts: bool = False) -> None:
    """Writes ``entry`` into an empty message."""
    m: Any = message
    m.entry_id = str(entry.entry_id)
    m.account_id = entry.account_id
    m.queue = entry.queue
    m.kind = entry.kind
    _fill_subject(m, entry)
    if entry.woo_customer_id is not None:
        m.woo_customer_id = entry.woo_customer_id
    m.subject_label = shown(entry.subject_label)
    if entry.account_email:
        m.masked_account_email = mask_email(entry.account_email)
    if entry.billing_email:
        m.masked_billing_email = mask_email(entry.billing_email)
    m.state = entry.state
    if entry.outcome is not None:
        m.outcome = entry.outcome
        m.comment = shown(entry.comment, most=MAX_LINE)
        m.causes.extend(entry.causes)
    m.notes.extend(shown_lines(entry.notes))
    m.attempt_count = entry.attempt_count
    m.coalesced_count = entry.coalesced_count
    if entry.next_attempt_time is not None:
        set_time(m.next_attempt_time, entry.next_attempt_time)
    set_time(m.create_time, entry.create_time)
    set_time(m.update_time, entry.update_time)
    if entry.finish_time is not None:
        set_time(m.finish_time, entry.finish_time)
    if with_attempts:
        for attempt in entry.attempts:
            _fill_attempt(m.attempts.add(), attempt)
    m.priority = entry.priority
    m.entry_revision = entry.entry_revision
    if entry.retried_from is not None:
        m.retried_from = str(entry.retried_from)


def entry_message(entry: Entry, *, with_attempts: bool = False) -> queue_entry_pb2.QueueEntry:
    message = queue_entry_pb2.QueueEntry()
    fill_entry(message, entry, with_attempts=with_attempts)
    return message


def _fill_subject(m: Any, entry: Entry) -> None:
    if entry.kind is EntryKind.CUSTOMER:
        m.epos_customer_id = entry.subject_id
        return
    if entry.epos_customer_id is not None:
        m.epos_customer_id = entry.epos_customer_id
    if entry.kind is EntryKind.CUSTOMER_TYPE:
        m.epos_customer_type_id = entry.subject_id
        return
    m.order_id = entry.subject_id
    m.order_number = shown(entry.order_number or (entry.facts.order_number if entry.facts is not None else ""))


def _fill_attempt(m: Any, attempt: Attempt) -> None:
    m.number = attempt.number
    m.outcome = attempt.outcome
    m.comment = shown(attempt.comment, most=MAX_LINE)
    m.notes.extend(shown_lines(attempt.notes))
    set_time(m.start_time, attempt.start_time)
    set_time(m.finish_time, attempt.finish_time)
    if attempt.upstream_status is not None:
        m.upstream_status = attempt.upstream_status
    m.charged = attempt.charged
    if attempt.side is not None:
        m.side = attempt.side


def fill_problems(answer: account_pb2.Account | customer_sync_service_pb2.ListQueueResponse, problems: Sequence[Problem]) -> None:
    """Writes ``problems``, and the first of them as ``problem``. Without problems ``problem`` stays unset."""
    for problem in problems:
        _fill_problem(answer.problems.add(), problem)
    if answer.problems:
        answer.problem.CopyFrom(answer.problems[0])


def _fill_problem(message: account_pb2.AccountProblem, problem: Problem) -> None:
    m: Any = message
    m.reason = problem.reason
    m.side = problem.side
    m.text = problem.text
    set_time(m.since, problem.since)
    if problem.next_try_time is not None:
        set_time(m.next_try_time, problem.next_try_time)
    if problem.oldest_entry_id is not None:
        m.oldest_entry_id = str(problem.oldest_entry_id)


def candidate_messages(candidate_ids: Iterable[EposCustomerId]) -> list[link_pb2.EposCustomer]:
    """Returns the candidates of a held order. The queue knows only their ids."""
    return [link_pb2.EposCustomer(epos_customer_id=customer_id) for customer_id in candidate_ids]
