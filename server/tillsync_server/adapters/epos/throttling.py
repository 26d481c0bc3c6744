"""Recognises the till's limit ("API limit exceeded"). Only this module decides by the vendor's words instead of by a status.

Sources conflict (docs/epos-now.md#limits-and-errors, grade X): 403 with a text containing "maximum API limit", or 429 with Retry-After.
If a 403 limit counted as refused credentials, it would stop an account that only has to wait. The words "limited to" describe a plan, not
a request limit.
"""

from __future__ import annotations

import re

from tillsync_server.adapters.http_client import Answer

_LIMIT = re.compile(
    r"\b(?:api|request|requests|rate|call|calls|usage|maximum|daily|hourly)\b[^.]{0,60}\blimits?\b"
    r"|\blimits?\b[^.]{0,60}\b(?:exceeded|reached|requests|calls|used up)\b|\btoo many requests\b",
    re.IGNORECASE,
)


def is_throttled(answer: Answer) -> bool:
    return answer.status == 429 or (answer.status == 403 and _LIMIT.search(answer.text) is not None)
