from __future__ import annotations

import pytest
from tillsync_server.adapters.postgres.connections.hosts import dsn_of_each_host

WRITES = "target_session_attrs=read-write"


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://u:p@a/db", ["postgresql://u:p@a/db"]),
        ("postgresql://u@/db?host=%2Frun", ["postgresql://u@/db?host=%2Frun"]),
        ("postgresql:///db", ["postgresql:///db"]),
        ("postgresql://u:p@a,b:6432/db", [f"postgresql://u:p@a/db?{WRITES}", f"postgresql://u:p@b:6432/db?{WRITES}"]),
        ("postgresql://[::1]:1,[::2]:2/db", [f"postgresql://[::1]:1/db?{WRITES}", f"postgresql://[::2]:2/db?{WRITES}"]),
        (
            "postgresql://a,b/db?target_session_attrs=primary&sslmode=require",
            [f"postgresql://{host}/db?target_session_attrs=primary&sslmode=require" for host in "ab"],
        ),
        (
            "postgresql://u@/db?host=a,b&port=1,2",
            [f"postgresql://u@/db?{WRITES}&host=a&port=1", f"postgresql://u@/db?{WRITES}&host=b&port=2"],
        ),
        ("postgresql://u@/db?host=%2Fa,%2Fb&port=1", [f"postgresql://u@/db?{WRITES}&host=%2F{host}&port=1" for host in "ab"]),
        ("postgresql://u@/db?host=a,b", [f"postgresql://u@/db?{WRITES}&host={host}" for host in "ab"]),
    ],
)
def test_each_host_has_its_own_dsn_and_must_accept_writes(dsn: str, expected: list[str]) -> None:
    assert dsn_of_each_host(dsn) == expected


def test_hosts_and_ports_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="shorter"):
        dsn_of_each_host("postgresql://u@/db?host=a,b,c&port=1,2")
