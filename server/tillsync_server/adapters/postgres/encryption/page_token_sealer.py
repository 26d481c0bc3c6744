"""Page tokens that hold something of a person: unreadable outside this service."""

from __future__ import annotations

from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox, SecretKeyError

_PURPOSE = "page token\n"
"""Stands before the text, so that nothing else that the box has encrypted counts as a page token."""


class PageTokenSealer:
    """Implements ports.privacy.Sealer. A token outlives a rotation as long as its key is in the list."""

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
