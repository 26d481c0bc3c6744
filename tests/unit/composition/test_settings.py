"""The service settings: working defaults, problems that name the variable and the remedy, and hidden secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from tillsync_server.composition.listen_address import ListenAddress
from tillsync_server.composition.settings import (
    ServiceSettings,
    SettingsError,
    load_settings,
    secret_variables,
    setting_lines,
    variables,
)

KEY = {"TILLSYNC_SECRET_KEY": "one,two"}
DATABASE = {"DATABASE_URL": "postgresql://u:p4ssw0rd@db.example.test/x", **KEY}


def test_defaults_are_valid_without_any_variable() -> None:
    settings = load_settings({})
    assert settings.problems() == []
    assert settings.is_embedded
    assert (str(settings.grpc_listen), str(settings.http_listen)) == ("127.0.0.1:50051", "127.0.0.1:8080")
    assert str(settings.operations_listen) == "127.0.0.1:8081"
    assert (settings.lease_seconds, settings.max_attempts, settings.retry_base_seconds) == (30, 8, 30)
    assert (settings.till_timeout_seconds, settings.shop_timeout_seconds) == (15, 20)
    assert settings.effective_settle_seconds == 30 + 15 + 60


def test_empty_variables_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("TILLSYNC_LEASE_SECONDS", "")
    settings = load_settings()
    assert settings.is_embedded
    assert settings.lease_seconds == 30


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLSYNC_LEASE_SECONDS", "45")
    monkeypatch.setenv("TILLSYNC_GRPC_LISTEN", "[::1]:6000")
    settings = load_settings()
    assert settings.lease_seconds == 45
    assert settings.grpc_listen == ListenAddress("::1", 6000)
    assert load_settings({}).lease_seconds == 30, "a given mapping stands alone"


SECRETS = {
    "DATABASE_URL": ("database_url", "postgresql://u:p@db.example.test/tillsync"),
    "TILLSYNC_SECRET_KEY": ("secret_key", "a-key-that-encrypts"),
    "TILLSYNC_ADMIN_TOKEN": ("admin_token", "an-admin-token-of-many-characters"),
}


@pytest.mark.parametrize("variable", SECRETS)
def test_secret_is_read_from_a_file(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    field, secret = SECRETS[variable]
    file = tmp_path / "secret"
    file.write_text(f"{secret}\n", encoding="utf-8")
    monkeypatch.setenv(f"{variable}_FILE", str(file))
    for settings in (load_settings(), load_settings({f"{variable}_FILE": str(file)})):
        assert getattr(settings, field).get_secret_value() == secret
        [line] = [line for line in setting_lines(settings) if line.variable == variable]
        assert (line.value, line.is_set) == ("(set)", True)
        assert f"{variable}_FILE" in line.meaning


def test_every_secret_has_a_file_variable() -> None:
    assert sorted(secret_variables()) == sorted(SECRETS)


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "cannot be read: No such file"), (b" \n", "is empty"), (b"\xff\xfe", "holds no UTF-8 text")]
)
def test_secret_file_without_a_secret_is_a_problem(content: bytes | None, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=problem) as caught:
        load_settings({"TILLSYNC_SECRET_KEY_FILE": str(file), "TILLSYNC_MAX_ATTEMPTS": "y"})
    assert [line.partition(":")[0] for line in caught.value.problems] == ["TILLSYNC_SECRET_KEY_FILE", "TILLSYNC_MAX_ATTEMPTS"]


def test_secret_by_value_and_by_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("another-key", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings({"TILLSYNC_SECRET_KEY": "a-key", "TILLSYNC_SECRET_KEY_FILE": str(tmp_path / "secret")})
    assert caught.value.problems == ["TILLSYNC_SECRET_KEY and TILLSYNC_SECRET_KEY_FILE: give one of them"]


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"TILLSYNC_LEASE_SECONDS": "soon"}, "TILLSYNC_LEASE_SECONDS"),
        ({"TILLSYNC_LEASE_SECONDS": "1"}, "TILLSYNC_LEASE_SECONDS"),
        ({"TILLSYNC_MAX_ATTEMPTS": "0"}, "TILLSYNC_MAX_ATTEMPTS"),
        ({"TILLSYNC_GRPC_LISTEN": "50051"}, "TILLSYNC_GRPC_LISTEN"),
        ({"TILLSYNC_HTTP_LISTEN": "127.0.0.1:99999"}, "TILLSYNC_HTTP_LISTEN"),
        ({"TILLSYNC_ALLOWED_HOSTS": "https://shop"}, "TILLSYNC_ALLOWED_HOSTS"),
        ({"TILLSYNC_DB_SCHEMA": "Bad-Schema"}, "TILLSYNC_DB_SCHEMA"),
        ({"TILLSYNC_PUBLIC_URL": "tillsync.example.test"}, "TILLSYNC_PUBLIC_URL"),
        ({"TILLSYNC_ADMIN_TOKEN": "short"}, "TILLSYNC_ADMIN_TOKEN"),
        ({"TILLSYNC_LOG_LEVEL": "loud"}, "TILLSYNC_LOG_LEVEL"),
        ({"TILLSYNC_TLS_CERT_FILE": "/x.pem"}, "TILLSYNC_TLS_KEY_FILE"),
    ],
)
def test_invalid_value_is_refused_with_its_variable(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment)
    assert named in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_refused_secret_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"TILLSYNC_ADMIN_TOKEN": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"TILLSYNC_LEASE_SECONDS": "x", "TILLSYNC_MAX_ATTEMPTS": "y"})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("lease", "till", "shop", "fits"),
    [("25", "15", "20", True), ("24", "15", "20", False), ("30", "26", "20", False), ("31", "26", "20", True)],
)
def test_lease_shorter_than_a_request_is_refused(lease: str, till: str, shop: str, fits: bool) -> None:
    settings = load_settings(
        {"TILLSYNC_LEASE_SECONDS": lease, "TILLSYNC_TILL_TIMEOUT_SECONDS": till, "TILLSYNC_SHOP_TIMEOUT_SECONDS": shop}
    )
    assert (settings.problems() == []) is fits
    assert settings.problems(works=False) == []


@pytest.mark.parametrize(("settle", "fits"), [("45", True), ("44.9", False), ("", True)])
def test_settle_time_shorter_than_a_create_is_refused(settle: str, fits: bool) -> None:
    settings = load_settings({"TILLSYNC_SETTLE_SECONDS": settle})
    problems = settings.problems()
    assert (problems == []) is fits
    assert all("TILLSYNC_SETTLE_SECONDS" in problem and "45" in problem for problem in problems)
    assert settings.problems(works=False) == []


def test_secret_key_is_required_with_an_external_database() -> None:
    without = load_settings({"DATABASE_URL": DATABASE["DATABASE_URL"]})
    assert any("TILLSYNC_SECRET_KEY" in problem for problem in without.problems())
    assert load_settings(DATABASE).problems() == []


@pytest.mark.parametrize("variable", ["TILLSYNC_GRPC_LISTEN", "TILLSYNC_HTTP_LISTEN", "TILLSYNC_OPERATIONS_LISTEN"])
def test_plaintext_beyond_loopback_needs_a_setting(variable: str, tmp_path: Path) -> None:
    beyond = {variable: "0.0.0.0:7000"}
    assert any("without TLS" in problem for problem in load_settings(beyond).problems())
    assert load_settings({**beyond, "TILLSYNC_ALLOW_PLAINTEXT": "true"}).problems() == []
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    files = {"TILLSYNC_TLS_CERT_FILE": str(certificate), "TILLSYNC_TLS_KEY_FILE": str(key)}
    assert len(load_settings({**beyond, **files}).problems()) == 2, "both files are missing"
    certificate.touch()
    key.touch()
    assert load_settings({**beyond, **files}).problems() == []


def test_operations_address_of_a_worker_beyond_loopback_needs_a_setting() -> None:
    beyond = {**DATABASE, "TILLSYNC_OPERATIONS_LISTEN": "0.0.0.0:7000"}
    [problem] = load_settings(beyond).problems(serves=False)
    assert problem.startswith("TILLSYNC_OPERATIONS_LISTEN reaches beyond loopback without TLS")
    assert load_settings({**beyond, "TILLSYNC_ALLOW_PLAINTEXT": "true"}).problems(serves=False) == []


def test_loopback_shops_are_allowed_only_if_the_service_listens_on_loopback() -> None:
    assert load_settings({}).hosts(serves=True).allow_loopback
    assert not load_settings({"TILLSYNC_HTTP_LISTEN": "0.0.0.0:8080"}).hosts(serves=True).allow_loopback
    assert load_settings({"TILLSYNC_PUBLIC_URL": "http://127.0.0.1:8080"}).hosts(serves=True).allow_loopback
    behind_a_proxy = load_settings({"TILLSYNC_PUBLIC_URL": "https://sync.example.test"})
    assert not behind_a_proxy.hosts(serves=True).allow_loopback, "others reach it through the proxy"
    assert load_settings({"TILLSYNC_ALLOWED_HOSTS": "shop.internal"}).hosts(serves=True).hosts == {"shop.internal"}


def test_standalone_worker_allows_loopback_only_if_listed() -> None:
    """A worker's settings do not contain the listen address of the service."""
    assert not load_settings({}).hosts(serves=False).allow_loopback
    assert not load_settings({"TILLSYNC_PUBLIC_URL": "http://127.0.0.1:8080"}).hosts(serves=False).allow_loopback
    named = load_settings({"TILLSYNC_ALLOWED_HOSTS": "127.0.0.1"}).hosts(serves=False)
    assert named.refusal_reason("127.0.0.1", 8000, "127.0.0.1") is None
    refusal = load_settings({}).hosts(serves=False).refusal_reason("127.0.0.1", 8000, "127.0.0.1")
    assert refusal is not None
    assert "add 127.0.0.1:8000 to TILLSYNC_ALLOWED_HOSTS" in refusal


def test_host_name_other_than_localhost_is_not_loopback() -> None:
    assert ListenAddress.parse("localhost:1").is_loopback
    assert ListenAddress.parse("[::1]:1").is_loopback
    assert not ListenAddress.parse("loopback.example.test:1").is_loopback
    assert not ListenAddress.parse("[::]:1").is_loopback


def test_settings_list_has_default_and_meaning_and_hides_secrets() -> None:
    environment = {**DATABASE, "TILLSYNC_ADMIN_TOKEN": "t" * 40, "TILLSYNC_LEASE_SECONDS": "40"}
    lines = {line.variable: line for line in setting_lines(load_settings(environment), environment)}
    assert list(lines) == variables()
    assert len(lines) == len(ServiceSettings.model_fields)
    for line in lines.values():
        assert line.meaning, line.variable
        assert line.default, line.variable
    assert (lines["TILLSYNC_LEASE_SECONDS"].value, lines["TILLSYNC_LEASE_SECONDS"].default) == ("40", "30")
    assert lines["TILLSYNC_LEASE_SECONDS"].is_set
    assert not lines["TILLSYNC_MAX_ATTEMPTS"].is_set
    assert {lines[name].value for name in ("DATABASE_URL", "TILLSYNC_SECRET_KEY", "TILLSYNC_ADMIN_TOKEN")} == {"(set)"}
    shown = repr(load_settings(environment)) + str(lines)
    assert "p4ssw0rd" not in shown
    assert "t" * 40 not in shown


def test_every_documented_variable_exists() -> None:
    named = """DATABASE_URL TILLSYNC_DATA_DIR TILLSYNC_GRPC_LISTEN TILLSYNC_HTTP_LISTEN TILLSYNC_ADMIN_TOKEN TILLSYNC_SECRET_KEY
        TILLSYNC_LEASE_SECONDS TILLSYNC_MAX_ATTEMPTS TILLSYNC_RETRY_BASE_SECONDS TILLSYNC_TILL_TIMEOUT_SECONDS
        TILLSYNC_SHOP_TIMEOUT_SECONDS TILLSYNC_SETTLE_SECONDS TILLSYNC_PUBLIC_URL TILLSYNC_ALLOWED_HOSTS
        TILLSYNC_PUBLIC_REFLECTION TILLSYNC_DB_SCHEMA"""
    assert set(named.split()) <= set(variables())


def test_engine_and_flow_settings_follow_the_service_settings() -> None:
    settings = load_settings({"TILLSYNC_LEASE_SECONDS": "40", "TILLSYNC_MAX_ATTEMPTS": "3", "TILLSYNC_SETTLE_SECONDS": "7"})
    engine = settings.engine()
    assert (engine.lease_seconds, engine.retry.max_attempts) == (40, 3)
    assert settings.flows().settle_seconds == 7
    assert engine.live_reserved_slots < engine.lane_slots
