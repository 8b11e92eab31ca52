"""What a change of a study page means: nearly every word of it decides who is counted, and therefore changes results.

What does not belong here: the shared pages (diff_pages.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aclf_pipeline.protocol.change import WORDING, Change, Effect, differing, from_to

_ONE = {
    "parameters": "parameter", "baseline": "baseline variable", "endpoints": "endpoint", "covariates": "covariate",
    "eligibility": "criterion", "time_zeros": "time zero",
}  # fmt: skip


def study_page(page: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Every change of a study page."""
    for word in differing(old, new):
        before, after = old.get(word), new.get(word)
        if word == "eligibility":
            yield from _eligibility(page, before or [], after or [])
        elif word in _ONE:
            yield from _section(page, _ONE[word], before or {}, after or {})
        elif word in WORDING:
            yield Change(page, word, f"{word} reworded", "harmless", f"{word} is worded otherwise")
        else:
            effect: Effect = "breaking" if word == "source" else "results"
            yield Change(page, word, f"{word} changed", effect, from_to(word, before, after))


def _eligibility(page: str, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[Change]:
    before, after = {s["id"]: s for s in old}, {s["id"]: s for s in new}
    yield from _section(page, "criterion", before, after)
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        says = "the order of criteria changed: the flow chart counts otherwise, who is eligible stays"
        yield Change(page, "eligibility", "order changed", "results", says)


def _section(page: str, one: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            effect: Effect = "breaking" if one == "parameter" else "results"
            yield Change(page, name, f"{one} removed", effect, f"the {one} is no longer there")
        elif name not in old:
            yield Change(page, name, f"{one} added", "results", f"a new {one}")
        else:
            for word in differing(old[name], new[name]):
                if word in WORDING:
                    yield Change(page, name, f"{word} reworded", "harmless", f"{word} is worded otherwise")
                else:
                    says = from_to(word, old[name].get(word), new[name].get(word))
                    yield Change(page, name, f"{one} changed", "results", says)
