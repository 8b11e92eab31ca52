"""The key behind all pseudonyms, and the pseudonym it gives: a keyed hash, the same for the same person, in one file.

What does not belong here: which columns are identifiers (the source's page) and how their text is normalised (privacy).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from aclf_pipeline.errors import UserError
from aclf_pipeline.warehouse.sources import PREFIXES

KEY_BYTES = 32
_DIGITS = 16


class PseudonymKey:
    """The secret behind all pseudonyms. Whoever has it can link persons, so only its owner may read its file."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise UserError(f"pseudonym key: it has {len(secret)} bytes, and must have {KEY_BYTES}")
        self._secret = secret

    def __repr__(self) -> str:
        return "PseudonymKey(…)"

    @classmethod
    def load(cls, path: Path) -> PseudonymKey:
        """Read the key file; create it with a random key, readable by its owner only, when there is none."""
        path = Path(path)
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return cls._create(path)
        with os.fdopen(handle, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise UserError(
                    f"pseudonym key: others can read '{path}' (mode {mode:04o}). Run: chmod 600 '{path}'. If somebody"
                    " may have read it, the pseudonyms are no longer secret: start anew with a new key."
                )
            return cls(file.read())

    @classmethod
    def _create(cls, path: Path) -> PseudonymKey:
        secret = secrets.token_bytes(KEY_BYTES)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secret)
        return cls(secret)

    def pseudonym(self, identifier: str, normalised: str) -> str:
        """The pseudonym of a normalised value, e.g. `R` and 16 hexadecimal digits for a record number."""
        digest = hmac.digest(self._secret, f"{identifier}:{normalised}".encode(), hashlib.sha256).hex()
        return PREFIXES.get(identifier, identifier[:1].upper()) + digest[:_DIGITS]
