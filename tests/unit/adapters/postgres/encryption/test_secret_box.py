"""Encryption of stored credentials. The first key encrypts, every key decrypts, and errors name the setting without the key."""

from __future__ import annotations

import pytest
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox, SecretKeyError

OLD, NEW = "an old secret key; " * 3, "a new secret key; " * 3


def test_secret_is_decrypted_and_not_readable_at_rest() -> None:
    box = SecretBox([NEW])
    stored = box.encrypt("consumer secret ✓")
    assert b"consumer" not in stored
    assert box.decrypt(stored) == "consumer secret ✓"
    assert stored != box.encrypt("consumer secret ✓"), "the same secret twice must not look the same"


def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    stored = SecretBox([OLD]).encrypt("s")
    both = SecretBox([NEW, OLD])
    assert both.decrypt(stored) == "s"
    assert SecretBox([NEW]).decrypt(both.encrypt("s")) == "s"


def test_rotation_rewrites_only_values_not_under_the_first_key() -> None:
    both = SecretBox([NEW, OLD])
    renewed = both.rotate(SecretBox([OLD]).encrypt("s"))
    assert renewed is not None
    assert SecretBox([NEW]).decrypt(renewed) == "s"
    assert both.rotate(renewed) is None


def test_wrong_key_error_names_the_setting_and_hides_the_key() -> None:
    stored = SecretBox([OLD]).encrypt("s")
    for attempt in (SecretBox([NEW]).decrypt, SecretBox([NEW]).rotate):
        with pytest.raises(SecretKeyError, match="TILLSYNC_SECRET_KEY") as caught:
            attempt(stored)
        assert OLD.strip() not in str(caught.value)
        assert NEW.strip() not in str(caught.value)


def test_damaged_bytes_are_refused() -> None:
    stored = bytearray(SecretBox([NEW]).encrypt("s"))
    stored[-5] ^= 1
    with pytest.raises(SecretKeyError):
        SecretBox([NEW]).decrypt(bytes(stored))


@pytest.mark.parametrize(("keys", "text"), [([], "not set"), ([NEW, "short"], "key 2 has 5 characters")])
def test_missing_and_short_keys_are_refused(keys: list[str], text: str) -> None:
    with pytest.raises(SecretKeyError, match=text) as caught:
        SecretBox(keys)
    assert "TILLSYNC_SECRET_KEY" in str(caught.value)


def test_setting_is_a_comma_separated_list() -> None:
    box = SecretBox.from_setting(f" {NEW} , {OLD},")
    assert box.decrypt(SecretBox([OLD]).encrypt("s")) == "s"
    with pytest.raises(SecretKeyError):
        SecretBox.from_setting(" , ")
