"""Pseudonyms: what leaves the landing zone in place of names.

A key is an HMAC under a secret of the installation: the same patient always gets the same key, and
without the secret nobody can try names against it. Secrets are rotated in layers: each newer one makes keys of the keys
before it, so that whoever learns the older ones still cannot try names against today's keys.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass

KEY_CHARS = 32


@dataclass(frozen=True, repr=False)
class Pseudonyms:
    """Makes the keys of patients and deliveries.

    Parameters
    ----------
    secret : bytes
        The secret, see `Settings.pseudonym_key`; after a rotation one a line, the oldest first. It is
        not shown by ``repr``.
    """

    secret: bytes

    def patient_key(self, source_id: str) -> str:
        """Return the pseudonym of a patient: 32 hex characters.

        Parameters
        ----------
        source_id : str
            Identifier in the landing zone. Its Unicode form (NFC or NFD) makes no difference.
        """
        return self._key("patient", source_id)

    def delivery_key(self, relative_path: str) -> str:
        """Return the pseudonym of a delivered file: 32 hex characters.

        Parameters
        ----------
        relative_path : str
            Path under the root of the landing zone, with forward slashes.
        """
        return self._key("delivery", relative_path)

    def patient_keys(self, source_id: str) -> list[str]:
        """Return the pseudonyms that a patient has had under each secret, today's last."""
        return self._keys("patient", source_id)

    def renewed(self, kind: str, key: str) -> str:
        """Return what the newest secret makes of a key that the secrets before it had made.

        Parameters
        ----------
        kind : str
            ``patient`` or ``delivery``.
        key : str
            The key before the rotation.
        """
        return _hmac(self.secret.splitlines()[-1], kind, key)

    def _key(self, kind: str, value: str) -> str:
        return self._keys(kind, value)[-1]

    def _keys(self, kind: str, value: str) -> list[str]:
        keys, layer = [], unicodedata.normalize("NFC", value)
        for secret in self.secret.splitlines():
            layer = _hmac(secret, kind, layer)
            keys.append(layer)
        return keys


def _hmac(secret: bytes, kind: str, value: str) -> str:
    # Names on disk may hold bytes that are not UTF-8; Python shows them as lone surrogates.
    text = f"{kind}:{value}".encode("utf-8", "surrogateescape")
    return hmac.new(secret, text, hashlib.sha256).hexdigest()[:KEY_CHARS]


def refused_id(delivery_key: str) -> str:
    """Return the journal_id of a delivery whose bytes were not taken in: 64 hex characters."""
    return hashlib.sha256(b"refused:" + delivery_key.encode()).hexdigest()
