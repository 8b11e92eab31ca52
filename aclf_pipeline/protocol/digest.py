"""The digest of the pages: what they say, not how they are laid out.

Comments, line ends and the order of words do not count; the order of lists does, because eligibility has an order.

What does not belong here: fingerprints of single rules (models.py) and hashes of data (the warehouse).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aclf_pipeline.protocol.models import Code


def canonical_text(pages: Mapping[str, Any], codelists: Mapping[str, Sequence[Code]]) -> str:
    """The content of all pages as one line of JSON, always the same for the same content."""
    content = {
        "pages": pages,
        "codelists": {name: [code.model_dump() for code in codes] for name, codes in codelists.items()},
    }
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)


def digest_of(canonical: str) -> str:
    """SHA-256, in hex, of the canonical text: of a file that holds it, `sha256sum` gives the same."""
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: Any) -> str:
    """Dates as YAML reads them, in ISO form."""
    return str(value.isoformat())
