"""Units of measure, in UCUM (The Unified Code for Units of Measure, unitsofmeasure.org), as far as a laboratory needs.

What does not belong here: factors between units; they depend on the analyte and stand on its stanza.
"""

from __future__ import annotations

import re

USUAL = (
    "umol/L", "mmol/L", "nmol/L", "pmol/L", "mg/dL", "ug/dL", "ng/dL", "g/L", "g/dL", "mg/L", "ug/L", "ng/L", "ng/mL",
    "pg/mL", "U/L", "kU/L", "[IU]/L", "[IU]/mL", "m[IU]/L", "m[IU]/mL", "u[IU]/mL", "10*9/L", "10*3/uL", "/uL", "%",
    "1", "s", "{copies}/mL", "mm[Hg]", "kPa", "Cel", "cm", "kg", "L/L", "{COI}", "{S_CO}", "[pH]", "/min", "mL",
    "meq/L", "a",
)  # fmt: skip
"""The spellings the pages use: what a misspelt unit is compared with. Any other valid UCUM unit is as good."""

_PREFIXES = ("", "Y", "Z", "E", "P", "T", "G", "M", "k", "h", "da", "d", "c", "m", "u", "n", "p", "f", "a")
_METRIC = ("m", "s", "g", "K", "mol", "L", "l", "Cel", "Pa", "J", "W", "Hz", "eq", "osm", "U", "kat", "cal", "bar", "V")
_METRIC_BRACKETS = ("[IU]", "[iU]", "m[Hg]", "[arb'U]")
_PLAIN = ("%", "[pH]", "min", "h", "d", "wk", "mo", "a", "deg", "[degF]", "[lb_av]", "[in_i]", "[ppth]", "[ppm]")
_ATOMS = frozenset(prefix + atom for prefix in _PREFIXES for atom in _METRIC + _METRIC_BRACKETS) | frozenset(_PLAIN)
_TERM = re.compile(
    r"(?P<atom>10[*^]|[A-Za-z%]*(?:\[[^\]\s]+\])?[A-Za-z]*)(?P<exponent>[+-]?\d+)?(?P<note>\{[^{}\s]+\})?"
)


def is_ucum(text: str) -> bool:
    """Whether `text` is a unit: terms joined by `.` and `/`, parentheses around a product allowed, `{remarks}` free."""
    if not text or text != text.strip() or " " in text:
        return False
    inner = text.removeprefix("/")
    if inner.count("(") != inner.count(")"):
        return False
    terms = re.split(r"[./](?![^{\[]*[}\]])", inner.replace("(", "").replace(")", ""))
    return all(_is_term(term) for term in terms)


def _is_term(term: str) -> bool:
    """Whether one term is a number, an annotation, or a known unit with an optional exponent and annotation."""
    if term.isdigit():
        return True
    found = _TERM.fullmatch(term)
    if not found or not term:
        return False
    atom = found["atom"]
    if atom in {"10*", "10^"}:
        return found["exponent"] is not None
    return atom in _ATOMS or (not atom and found["note"] is not None and found["exponent"] is None)
