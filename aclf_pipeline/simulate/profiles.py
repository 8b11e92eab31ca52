"""Names of the profiles a bundle can be written in.

Not here: what a profile plants (`defects`).
"""

from __future__ import annotations

import difflib

BLOCKING: tuple[str, ...] = ()
PROFILES: tuple[str, ...] = ("clean",)


def check_profile(profile: str) -> None:
    """Raise ValueError for a profile that does not exist, naming the nearest."""
    if profile not in PROFILES:
        near = difflib.get_close_matches(profile, PROFILES, n=1, cutoff=0.0)
        raise ValueError(f"profile asks for {profile!r}, which is not known. Did you mean {near[0]!r}?")
