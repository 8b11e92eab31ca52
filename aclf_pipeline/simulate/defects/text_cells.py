"""Damage to text: mojibake, bare line breaks and delimiters, identifiers in free text.

Not here: numbers and dates.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..delivery import BARE_COMMA, BARE_LF, UNQUOTE_END, UNQUOTE_START
from ..identity import address_of, phone_of
from ..world import World
from .kind_table import KindTable
from .lab_table import KIND as LABS
from .lab_table import LabTable
from .plan import Plan

_FREE_TEXT = {"病程评估": "病程摘要", "影像": "结论"}


def garble(text: str, latin: bool) -> str | None:
    """UTF-8 read as GBK, or GBK read as Latin-1; None where nothing changes or the way back is lost."""
    try:
        shown = text.encode("gbk").decode("latin-1") if latin else text.encode().decode("gbk")
        back = shown.encode("latin-1").decode("gbk") if latin else shown.encode("gbk").decode()
    except UnicodeError:
        return None
    printable = all(c.isprintable() for c in shown)
    return shown if back == text and shown != text and printable else None


def _mojibake(text: str, in_utf8: bool, rng: np.random.Generator) -> tuple[str, tuple[str, ...]] | None:
    shown = garble(text, in_utf8 and rng.random() < 0.5)
    if shown is None:
        return None
    if rng.random() < 0.2:
        return shown[:-2] + "?", ("quarantine",)
    return shown, ("repair", "quarantine")


def mojibake(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Names of orders and conclusions of imaging read in the wrong encoding."""
    for kind, column in (("医嘱", "医嘱名称"), ("影像", "结论")):
        table, rng = tables[kind], plan.rng("mojibake", kind)
        wanted = plan.share(0.001, len(table.uids))
        for position in rng.permutation(len(table.uids)):
            uid = table.uids[position]
            if not wanted:
                break
            in_utf8 = table.file(uid).dialect.encoding != "gb18030"
            found = _mojibake(table.get(uid, column) or "", in_utf8, rng)
            if found is not None and plan.choose(kind, [uid], 1, rng):
                plan.patch(kind, uid, column, found[0], plan.event("mojibake", *found[1]))
                wanted -= 1


def mojibake_labs(lab: LabTable, plan: Plan, names: list[str]) -> None:
    """Item names read in the wrong encoding (UTF-8 as GBK, which any of the files can hold)."""
    rng = plan.rng("mojibake", LABS)
    wanted = plan.share(0.001, len(lab.tube))
    for row in rng.permutation(np.flatnonzero(lab.plain)):
        if not wanted:
            break
        found = _mojibake(names[row], False, rng)
        if found is not None and plan.choose(LABS, [int(row)], 1, rng):
            plan.patch(LABS, int(row), "项目名称", found[0], plan.event("mojibake", *found[1]))
            wanted -= 1


def _broken(text: str, quoted: bool, rng: np.random.Generator) -> str:
    place = int(rng.integers(1, max(2, len(text) - 1)))
    shown = text[:place] + BARE_LF + text[place:]
    return UNQUOTE_START + shown + UNQUOTE_END if quoted else shown


def embedded_newline(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """A bare line break in an unquoted field: the record goes on in the next line."""
    for kind, column in _FREE_TEXT.items():
        table, rng = tables[kind], plan.rng("embedded_newline", kind)
        sound = [u for u in table.uids if (text := table.get(u, column)) and "\n" not in text and "," not in text]
        for uid in plan.choose(kind, sound, plan.share(0.001, len(table.uids)), rng):
            text = _broken(table.get(uid, column) or "", table.file(uid).dialect.quote_all, rng)
            plan.patch(kind, uid, column, text, plan.event("embedded_newline", "repair", "quarantine"))


def labs_broken_lines(lab: LabTable, plan: Plan) -> None:
    """Bare line breaks and bare commas in the remark of a result."""
    rng = plan.rng("embedded_newline", LABS)
    rows = np.flatnonzero(lab.plain)
    for row in plan.choose(LABS, rows, plan.share(0.001, len(lab.tube)), rng):
        event = plan.event("embedded_newline", "repair", "quarantine")
        plan.patch(LABS, row, "备注", f"标本轻度{BARE_LF}溶血", event)
    for row in plan.choose(LABS, rows, plan.share(0.0002, len(lab.tube)), rng):
        column, text = (
            ("备注", f"标本溶血{BARE_COMMA}建议复查") if rng.random() < 0.6 else ("参考范围", f"0{BARE_COMMA}23")
        )
        plan.patch(LABS, row, column, text, plan.event("unquoted_delimiter", "quarantine"))


def phi_in_text(tables: Mapping[str, KindTable], plan: Plan, world: World) -> None:
    """Telephone, identity number, name or address in free text."""
    for kind, column in _FREE_TEXT.items():
        table, rng = tables[kind], plan.rng("phi_in_text", kind)
        for uid in plan.choose(kind, table.uids, plan.share(0.005, len(table.uids)), rng):
            person = world.persons[table.person(uid)]
            words = (
                f"家属电话{phone_of(rng)}。",
                f"身份证号{person.id_number}。",
                f"患者{person.name}。",
                f"住址{address_of(rng)}。",
            )
            text = (table.get(uid, column) or "") + words[int(rng.integers(4))]
            plan.patch(kind, uid, column, text, plan.event("phi_in_text", "repair"))


def phi_in_remarks(lab: LabTable, plan: Plan, world: World) -> None:
    """Telephone or name in the remark of a result."""
    rng = plan.rng("phi_in_text", LABS)
    for row in plan.choose(LABS, np.flatnonzero(lab.plain), plan.share(0.0005, len(lab.tube)), rng):
        name = world.persons[int(lab.person[row])].name
        text = f"已电话通知家属{phone_of(rng)}" if rng.random() < 0.6 else f"患者{name}标本轻度溶血"
        plan.patch(LABS, row, "备注", text, plan.event("phi_in_text", "repair"))
