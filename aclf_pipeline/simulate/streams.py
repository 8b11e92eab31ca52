"""Seeded random streams, one per purpose, so that a change in one room of the hospital leaves the others as they were.

Not here: any drawing.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def stream(seed: int, *purpose: str) -> np.random.Generator:
    """The generator of one purpose: same seed and purpose, same numbers."""
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in purpose)])


def noise(rng: np.random.Generator, size: int, reach: float = 2.5) -> Floats:
    """Standard normal noise folded back inside ± `reach`, so that truth stays unambiguous in what is printed."""
    drawn = rng.standard_normal(size)
    return np.where(np.abs(drawn) > reach, drawn / np.abs(drawn) * (reach * rng.random(size)), drawn)
