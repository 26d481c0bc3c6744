"""Is an answer the till's "API limit exceeded"? The one place that looks at the vendor's words instead of at a status.

Sources conflict (docs/epos-now.md#limits-and-errors, grade X): 403 with a text containing "maximum API limit", or 429 with Retry-After.
Taking a 403 limit for refused credentials would stop an account that only has to wait. A plan that is "limited to" something is no limit
of requests.
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
