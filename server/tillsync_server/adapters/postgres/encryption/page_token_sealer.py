"""Seals page tokens that contain personal data, so that only this service can read them."""

from __future__ import annotations

from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox, SecretKeyError

_PURPOSE = "page token\n"
"""Prefix of the text. Other texts encrypted by the box are not accepted as page tokens."""


class PageTokenSealer:
    """Implements ports.privacy.Sealer. After a rotation a token stays valid while its key is in the list."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def seal(self, text: str) -> str:
        return self._box.encrypt(_PURPOSE + text).decode()

    def unseal(self, sealed: str) -> str | None:
        try:
            text = self._box.decrypt(sealed.encode())
        except (SecretKeyError, UnicodeError):
            return None
        return text.removeprefix(_PURPOSE) if text.startswith(_PURPOSE) else None
