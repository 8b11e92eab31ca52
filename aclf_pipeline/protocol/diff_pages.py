"""What a change of a stanza of the shared pages means: rules, analytes, definitions, waivers, codelists, tables.

What does not belong here: the study page (diff_study.py) and putting changes in order (diff.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from aclf_pipeline.protocol.change import WORDING, Change, Effect, differing, from_to, shown
from aclf_pipeline.protocol.implication import compared

Stanza = Mapping[str, Any]
Meaning = tuple[str, Effect, str]
"""What changed, what it does, and a sentence."""
Judge = Callable[[str, Stanza, Stanza], Meaning]

_RANK = {"flag": 0, "adjudicate": 1, "repair": 1, "quarantine": 2, "block": 3}
_ASIDE = ("quarantine", "block")


def words_of_page(page: str, old: Any, new: Any, pages: Mapping[str, Any]) -> Iterator[Change]:
    """The changes of one page that is a list or mapping of stanzas; `pages` are all pages of the new version."""
    kind = page.rsplit("/", 1)[-1]
    before, after = _by_name(kind, old), _by_name(kind, new)
    blocking = {rule["id"] for rule in pages.get("rules.yaml") or () if rule.get("action") == "block"}
    judges: dict[str, tuple[Judge, Callable[[Stanza], Meaning], Callable[[Stanza], Meaning]]] = {
        "rules.yaml": (_rule, _rule_added, _rule_removed),
        "analytes.yaml": (_analyte, _harmless("added"), _breaking("removed; what is measured of it becomes unknown")),
        "definitions.yaml": (_definition, _harmless("added"), _breaking("removed; queries that look it up fail")),
        "waivers.yaml": (_waiver(blocking), _harmless("added; it lets a check pass"), _waiver_removed(blocking)),
        "expectations.yaml": (_expectation, _expectation_added, _harmless("removed")),
    }
    changed, added, removed = judges.get(kind, (_results, _results_of("added"), _results_of("removed")))
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield Change(page, name, *removed(before[name]))
        elif name not in before:
            yield Change(page, name, *added(after[name]))
        else:
            for word in differing(before[name], after[name]):
                if word in WORDING:
                    yield Change(page, name, f"{word} reworded", "harmless", f"{word} is worded otherwise")
                else:
                    yield Change(page, name, *changed(word, before[name], after[name]))


def _by_name(kind: str, content: Any) -> dict[str, Stanza]:
    if isinstance(content, Mapping):
        return {str(name): stanza for name, stanza in content.items()}
    if kind == "waivers.yaml":
        return {_join(s["rule"], s.get("scope")): s for s in content or ()}
    if kind == "adjudications.yaml":
        return {_join(s["question"], s["patient"], s["evidence"]): s for s in content or ()}
    return {str(stanza["id"]): stanza for stanza in content or ()}


def _join(*parts: Any) -> str:
    return " ".join(str(part) for part in parts if part is not None)


def _harmless(says: str) -> Callable[[Stanza], Meaning]:
    return lambda _: (says.split(";")[0], "harmless", says)


def _breaking(says: str) -> Callable[[Stanza], Meaning]:
    return lambda _: (says.split(";")[0], "breaking", says)


def _results_of(says: str) -> Callable[[Stanza], Meaning]:
    return lambda _: (says, "results", f"{says}; results may change")


def _results(word: str, old: Stanza, new: Stanza) -> Meaning:
    return f"{word} changed", "results", from_to(word, old.get(word), new.get(word))


# ---------------------------------------------------------------- rules


def _rule_added(rule: Stanza) -> Meaning:
    action = rule["action"]
    if action in _ASIDE:
        return "rule added", "breaking", f"added with action {action}: rows accepted so far may be refused"
    if action == "flag":
        return "rule added", "harmless", "added with action flag: it tells, and sets no row aside"
    return "rule added", "results", f"added with action {action}"


def _rule_removed(rule: Stanza) -> Meaning:
    effect: Effect = "harmless" if rule["action"] == "flag" else "results"
    return "rule removed", effect, f"removed; its action was {rule['action']}"


def _rule(word: str, old: Stanza, new: Stanza) -> Meaning:
    judge = {
        "holds": _condition, "tolerate": _tolerance, "action": _action, "backwards": _backwards, "sources": _sources,
    }.get(word)  # fmt: skip
    if judge is not None:
        return judge(old, new)
    if word == "table":
        return "table changed", "breaking", from_to("table", old.get("table"), new.get("table"))
    return _results(word, old, new)


def _condition(old: Stanza, new: Stanza) -> Meaning:
    before, after = old.get("holds"), new.get("holds")
    way = "other" if before is None or after is None else compared(str(before), str(after))
    asks = f"it asked: {shown(before)}; it asks: {shown(after)}"
    told = {
        "same": ("rule reworded", "asks the same in other words"),
        "tighter": ("rule tightened", f"asks more; {asks}"),
        "looser": ("rule loosened", f"asks less; {asks}"),
        "other": ("rule changed", f"asks something else, and may refuse what it accepted; {asks}"),
    }[way]
    if way == "same" or new["action"] == "flag":
        return told[0], "harmless", told[1]
    return told[0], ("results" if way == "looser" else "breaking"), told[1]


def _tolerance(old: Stanza, new: Stanza) -> Meaning:
    before, after = float(old.get("tolerate", 0)), float(new.get("tolerate", 0))
    says = from_to("tolerate", f"{before:g}", f"{after:g}")
    if before == after:
        return "tolerance reworded", "harmless", says
    if after > before:
        return "rule loosened", "harmless", f"{says}: the check fails later"
    effect: Effect = "harmless" if new["action"] == "flag" else "breaking"
    return "rule tightened", effect, f"{says}: the check fails sooner"


def _action(old: Stanza, new: Stanza) -> Meaning:
    before, after = old["action"], new["action"]
    says = from_to("action", before, after)
    if _RANK[after] > _RANK[before]:
        return "rule tightened", ("breaking" if after in _ASIDE else "results"), says
    return ("rule loosened" if _RANK[after] < _RANK[before] else "rule changed"), "results", says


def _backwards(old: Stanza, new: Stanza) -> Meaning:
    says = from_to("backwards", old.get("backwards", "the default"), new.get("backwards", "the default"))
    if new.get("backwards") == "block":
        return "rule tightened", "breaking", says
    return "backwards changed", "harmless", says


def _sources(old: Stanza, new: Stanza) -> Meaning:
    before, after = old.get("sources"), new.get("sources")
    says = from_to("sources", before or "all", after or "all")
    wider = before is not None and (after is None or not set(after) <= set(before))
    if new["action"] == "flag":
        return "sources changed", "harmless", says
    return ("rule tightened", "breaking", says) if wider else ("rule loosened", "results", says)


# ---------------------------------------------------------------- analytes, definitions, waivers, expectations


def _analyte(word: str, old: Stanza, new: Stanza) -> Meaning:
    before, after = old.get(word), new.get(word)
    says = from_to(word, before, after)
    if word == "unit":
        return "unit changed", "breaking", f"{says}: the same number means something else"
    if word == "accepts":
        return _units_accepted(before or {}, after or {})
    if word == "loinc":
        if set(before or ()) - set(after or ()):
            return "code removed", "breaking", f"{says}: results under the code become unknown"
        return "code added", "results", says
    if word == "limits":
        return _limits(before, after, says)
    return f"{word} changed", "results", says


def _units_accepted(before: Stanza, after: Stanza) -> Meaning:
    says = from_to("accepts", dict(before), dict(after))
    if before.keys() - after.keys():
        return "unit no longer accepted", "breaking", f"{says}: results in it are set aside"
    if any(before[unit] != after[unit] for unit in before):
        return "factor changed", "results", says
    return "unit accepted", "results", says


def _limits(before: Any, after: Any, says: str) -> Meaning:
    if before is not None and (after is None or (after[0] <= before[0] and after[1] >= before[1])):
        return "limits widened", "results", says
    return ("limits changed" if before else "limits added"), "breaking", f"{says}: accepted values may be refused"


def _definition(word: str, old: Stanza, new: Stanza) -> Meaning:
    before, after = old.get(word) or {}, new.get(word) or {}
    if word != "cutoffs":
        return _results(word, old, new)
    said = [from_to(item, before.get(item), after.get(item)) for item in differing(before, after)]
    gone = before.keys() - after.keys()
    return "cut-off changed", ("breaking" if gone else "results"), "; ".join(said)


def _waiver(blocking: set[str]) -> Judge:
    def judge(word: str, old: Stanza, new: Stanza) -> Meaning:
        shorter = word in ("expires", "at_most") and new[word] < old[word]
        effect: Effect = "breaking" if shorter and new["rule"] in blocking else "harmless"
        return f"{word} changed", effect, from_to(word, old.get(word), new.get(word))

    return judge


def _waiver_removed(blocking: set[str]) -> Callable[[Stanza], Meaning]:
    def judge(waiver: Stanza) -> Meaning:
        effect: Effect = "breaking" if waiver["rule"] in blocking else "harmless"
        return "waiver removed", effect, "removed; the rows it accepted count again"

    return judge


def _expectation_added(stanza: Stanza) -> Meaning:
    blocks = stanza.get("severity") == "block"
    return "expectation added", ("breaking" if blocks else "harmless"), f"added; it {'blocks' if blocks else 'warns'}"


def _expectation(word: str, old: Stanza, new: Stanza) -> Meaning:
    effect: Effect = "breaking" if new.get("severity") == "block" else "harmless"
    return f"{word} changed", effect, from_to(word, old.get(word), new.get(word))


# ---------------------------------------------------------------- codelists and tables


def codelists(old: Mapping[str, list[dict[str, Any]]], new: Mapping[str, list[dict[str, Any]]]) -> Iterator[Change]:
    """Codes that came, went or mean something else."""
    for name in sorted(old.keys() | new.keys()):
        page = f"codelists/{name}.csv"
        before, after = _codes(old.get(name, ())), _codes(new.get(name, ()))
        for code in [*before, *(code for code in after if code not in before)]:
            if code not in after:
                yield Change(page, code, "code removed", "results", f"removed: {before[code]['label']}")
            elif code not in before:
                yield Change(page, code, "code added", "results", f"added: {after[code]['label']}")
            elif before[code]["match"] != after[code]["match"]:
                says = from_to("match", before[code]["match"], after[code]["match"])
                yield Change(page, code, "match changed", "results", says)
            elif before[code] != after[code]:
                yield Change(page, code, "label reworded", "harmless", "label is worded otherwise")


def _codes(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {f"{row['system']} {row['code']}": row for row in rows}


def tables(old: Mapping[str, Mapping[str, Stanza]], new: Mapping[str, Mapping[str, Stanza]]) -> Iterator[Change]:
    """Promised tables and columns that came, went or promise something else."""
    for table in [*old, *(name for name in new if name not in old)]:
        if table not in new:
            yield Change("contracts", table, "table removed", "breaking", "the table is no longer made")
            continue
        if table not in old:
            yield Change("contracts", table, "table added", "harmless", "a new table")
            continue
        before, after = old[table], new[table]
        for column in [*before, *(name for name in after if name not in before)]:
            name = f"{table}.{column}"
            if column not in after:
                yield Change("contracts", name, "column removed", "breaking", "the column is no longer made")
            elif column not in before:
                yield Change("contracts", name, "column added", "harmless", "a new column")
            else:
                for word in differing(before[column], after[column]):
                    yield Change("contracts", name, *_promise(word, before[column][word], after[column][word]))


def _promise(word: str, old: Any, new: Any) -> Meaning:
    if word == "type":
        return "type changed", "breaking", from_to("type", old, new)
    if word == "required":
        if new:
            return "nullability tightened", "breaking", "a missing value was accepted and is refused"
        return "nullability loosened", "results", "readers may meet a missing value"
    if word in ("unique", "key"):
        if new or word == "key":
            return f"{word} changed", "breaking", from_to(word, old, new)
        return "no longer unique", "results", "readers may meet a value twice"
    if new is None or (old is not None and set(old) <= set(new)):
        more = "any text" if new is None else ", ".join(word for word in new if word not in old)
        return "vocabulary widened", "results", f"readers may meet {more}"
    gone = ["any other text"] if old is None else [word for word in old if word not in new]
    return "vocabulary narrowed", "breaking", f"no longer accepted: {', '.join(gone)}"
