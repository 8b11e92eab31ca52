"""医嘱: drug, blood product, treatment and surgery orders of each stay.

Not here: true infusions and procedures (`infusions`, `treatments`).
"""

from __future__ import annotations

from dataclasses import dataclass

from . import delivery
from .clock import SECONDS, day, t1, t3, to_date
from .course import Stay
from .identity import name_of
from .population import Person
from .rows import Cell, FileForm, Kind, Row
from .streams import stream
from .treatments import Treatment
from .world import World

KIND = "医嘱"
COLUMNS: tuple[str, ...] = (
    "医嘱号",
    "组号",
    "病案号",
    "住院次数",
    "姓名",
    "开立科室",
    "医嘱类型",
    "医嘱分类",
    "医嘱名称",
    "规格",
    "单次剂量",
    "剂量单位",
    "频次",
    "途径",
    "开立时间",
    "开始时间",
    "停止时间",
    "执行时间",
    "状态",
    "开立医师",
    "备注",
)
FORMS: dict[str, FileForm] = {
    "a": FileForm("医嘱_2010-2013.csv", delivery.GB_QUOTED, COLUMNS),
    "b": FileForm("医嘱_2014-2018.csv", delivery.BOM_CRLF, COLUMNS),
    "c": FileForm("医嘱_增量_{stamp}.csv", delivery.BOM_CRLF, COLUMNS),
}
_NEW_SYSTEM_FROM = day(2014, 1, 1)


@dataclass(frozen=True, slots=True)
class Drug:
    """How an order of this name is written: class, name, pack, dose, unit, frequency, route."""

    family: str
    name: str
    pack: Cell
    dose: Cell
    unit: Cell
    often: Cell
    route: Cell


DRUGS: dict[str, Drug] = {
    "恩替卡韦": Drug("药品", "恩替卡韦分散片", "0.5mg*7片", "0.5", "mg", "qd", "口服"),
    "替诺福韦": Drug("药品", "替诺福韦二吡呋酯片", "300mg*30片", "300", "mg", "qd", "口服"),
    "拉米夫定": Drug("药品", "拉米夫定片", "0.1g*14片", "0.1", "g", "qd", "口服"),
    "替比夫定": Drug("药品", "替比夫定片", "600mg*7片", "600", "mg", "qd", "口服"),
    "阿德福韦": Drug("药品", "阿德福韦酯片", "10mg*14片", "10", "mg", "qd", "口服"),
    "白蛋白": Drug("血制品", "人血白蛋白", "10g/50mL", "10", "g", "once", "静滴"),
    "血浆": Drug("血制品", "新鲜冰冻血浆", "200mL/袋", "2", "袋", "once", "静滴"),
    "冷沉淀": Drug("血制品", "冷沉淀", "1U/袋", "10", "U", "once", "静滴"),
    "特利加压素": Drug("药品", "特利加压素注射液", "1mg*1支", "1", "mg", "q8h", "静滴"),
    "去甲肾上腺素": Drug("药品", "去甲肾上腺素注射液", "2mg*1支", "4", "mg", "once", "静脉泵入"),
    "多巴胺": Drug("药品", "多巴胺注射液", "20mg*10支", "100", "mg", "once", "静脉泵入"),
    "美罗培南": Drug("药品", "美罗培南", "0.5g*1支", "1", "g", "q8h", "静滴"),
    "头孢": Drug("药品", "头孢哌酮舒巴坦", "1.5g*1支", "3", "g", "bid", "静滴"),
    "卡泊芬净": Drug("药品", "卡泊芬净", "50mg*1支", "50", "mg", "qd", "静滴"),
    "他克莫司": Drug("药品", "他克莫司胶囊", "1mg*50片", "2", "mg", "bid", "口服"),
    "甲巯咪唑": Drug("药品", "甲巯咪唑片", "5mg*100片", "10", "mg", "qd", "口服"),
    "丙硫氧嘧啶": Drug("药品", "丙硫氧嘧啶片", "50mg*100片", "100", "mg", "bid", "口服"),
    "移植": Drug("手术", "同种异体肝移植术", None, None, None, "once", None),
}
_CELL_NAMES = ("间充质干细胞输注", "MSC输注", "干细胞治疗")
EXECUTED, STOPPED, NEW, CANCELLED = "已执行", "已停止", "新开", "作废"


@dataclass(slots=True)
class Order:
    """One order in instants; `stop` is 0 for a temporary order."""

    stay: Stay
    drug: Drug
    ordered: int
    start: int
    stop: int
    status: str


class OrderBook:
    """Collects the orders of all stays."""

    def __init__(self, world: World, treatments: list[Treatment]) -> None:
        self.world = world
        self.rng = stream(world.seed, "orders")
        self.orders: list[Order] = []
        self.grafts = {t.stay: t for t in treatments if t.category == "肝移植"}

    def long(self, stay: Stay, drug: str, start: int, stop: int) -> None:
        """A standing order, ordered up to an hour before its start, inside the stay."""
        start, stop = max(start, stay.adm + 900), min(stop, stay.dis)
        if stop <= start:
            return
        ordered = max(stay.adm + 300, start - int(self.rng.integers(0, 3600)))
        self.orders.append(Order(stay, DRUGS[drug], ordered, start, stop, STOPPED))

    def once(self, stay: Stay, drug: Drug, at: int, status: str = EXECUTED) -> None:
        """A temporary order executed at an instant inside the stay."""
        if not stay.adm < at <= stay.dis:
            return
        ordered = max(stay.adm + 60, at - int(self.rng.integers(600, 4 * 3600)))
        self.orders.append(Order(stay, drug, min(ordered, at), at, 0, status))

    def spread(self, stay: Stay, drug: str, per_day: float) -> None:
        """Temporary orders at random times of a stay; one in two hundred is cancelled."""
        length = max(1, stay.last - stay.first)
        for _ in range(int(self.rng.poisson(per_day * length))):
            at = (stay.first + int(self.rng.integers(0, length))) * SECONDS + int(
                self.rng.integers(9 * 3600, 21 * 3600)
            )
            self.once(stay, DRUGS[drug], at, CANCELLED if self.rng.random() < 0.005 else EXECUTED)

    def antiviral(self, stay: Stay) -> None:
        """One or two antivirals of the time, re-ordered about every ten days."""
        year, draw = to_date(stay.first).year, self.rng.random()
        if draw > 0.93:
            return
        early = ("拉米夫定", "替比夫定", "阿德福韦", "恩替卡韦", "恩替卡韦")
        late = ("恩替卡韦", "恩替卡韦", "替诺福韦", "替诺福韦", "替比夫定")
        drug = (late if year >= 2014 else early)[int(self.rng.integers(5))]
        at = stay.adm + 3600
        while at < stay.dis:
            until = at + 10 * SECONDS
            self.long(stay, drug, at, until)
            at = until + 60

    def stay(self, stay: Stay) -> None:
        """All orders of one stay."""
        person, x, i = self.world.persons[stay.person], self.world.x, stay.person
        acute = stay.role in ("index", "second", "terminal")
        self.antiviral(stay)
        self.spread(stay, "白蛋白", 1.5 if stay.aclf else 0.8)
        self.spread(stay, "血浆", 1.1 if stay.aclf else 0.25)
        self.spread(stay, "冷沉淀", 0.35 if stay.aclf else 0.03)
        if acute and x["infection"][i]:
            drug = ("美罗培南", "头孢", "头孢")[int(self.rng.integers(3))]
            begin = stay.adm + int(self.rng.integers(2, 30)) * 3600
            self.long(stay, drug, begin, begin + 10 * SECONDS)
            if self.rng.random() < 0.15:
                self.long(stay, "卡泊芬净", begin + 3 * SECONDS, begin + 14 * SECONDS)
        if acute and x["hrs"][i]:
            self.long(stay, "特利加压素", stay.adm + 2 * SECONDS, stay.adm + 9 * SECONDS)
        if stay.dead:
            for at in range(max(stay.last - 2, stay.first), stay.last):
                name = "去甲肾上腺素" if self.rng.random() < 0.6 else "多巴胺"
                self.once(stay, DRUGS[name], at * SECONDS + int(self.rng.integers(8, 20)) * 3600)
        if person.thyroid_kind == "hyper" and stay.role != "early":
            self.long(stay, "甲巯咪唑" if i % 2 else "丙硫氧嘧啶", stay.adm + 5400, stay.dis)
        self.graft(person, stay)
        self.cells(person, stay)

    def graft(self, person: Person, stay: Stay) -> None:
        """The transplant, and tacrolimus from then on."""
        if stay.idx in self.grafts:
            operation = self.grafts[stay.idx]
            self.once(stay, DRUGS["移植"], operation.start)
            self.long(stay, "他克莫司", operation.end + 8 * 3600, stay.dis)
        elif person.transplant is not None and person.transplant < stay.first:
            self.long(stay, "他克莫司", stay.adm + 3600, stay.dis)

    def cells(self, person: Person, stay: Stay) -> None:
        """MSC orders: one executed per infusion; a few that were cancelled or never carried out."""
        for infusion in person.infusions:
            if stay.first <= infusion.day <= stay.last:
                self.once(stay, self._cell_drug(infusion.source), self._cell_time(stay, infusion.order_day))
        if stay.role == "index" and not person.infused and self.rng.random() < 0.01:
            at = stay.first * SECONDS + SECONDS + 14 * 3600
            self.once(stay, self._cell_drug("脐带"), at, CANCELLED if self.rng.random() < 0.7 else NEW)

    def _cell_time(self, stay: Stay, at: int) -> int:
        if stay.first == stay.last:
            return stay.adm + 4 * 3600
        return at * SECONDS + int(self.rng.integers(13 * 3600, 17 * 3600))

    def _cell_drug(self, source: str) -> Drug:
        name = _CELL_NAMES[int(self.rng.choice(3, p=(0.75, 0.15, 0.10)))]
        full = source + name if name == _CELL_NAMES[0] else name
        return Drug("治疗", full, None, "1", "袋", "once", "静脉输注")


def _groups(orders: list[Order]) -> list[int]:
    """Group number per order: orders of one stay given within the same hour go together."""
    known: dict[tuple[int, int], int] = {}
    return [known.setdefault((order.stay.idx, order.ordered // 3600), len(known) + 1) for order in orders]


def build_orders(world: World, treatments: list[Treatment]) -> Kind:
    """All orders, numbered in order of time."""
    book = OrderBook(world, treatments)
    for stay in world.stays:
        book.stay(stay)
    book.orders.sort(key=lambda order: (order.ordered, order.stay.idx))
    kind = Kind(KIND, FORMS)
    doctors = [name_of(book.rng) for _ in range(40)]
    groups = _groups(book.orders)
    for number, order in enumerate(book.orders):
        stay, drug = order.stay, order.drug
        file = "c" if stay.batch else ("a" if order.ordered // SECONDS < _NEW_SYSTEM_FROM else "b")
        write = t3 if file == "a" else t1
        standing = order.stop > 0
        cells = (
            f"YZ{number + 1:010d}",
            str(groups[number]),
            stay.bah,
            str(stay.zycs),
            world.persons[stay.person].name,
            stay.ward_in,
            "长期" if standing else "临时",
            drug.family,
            drug.name,
            drug.pack,
            drug.dose,
            drug.unit,
            drug.often,
            drug.route,
            write(order.ordered),
            write(order.start) if standing else None,
            write(order.stop) if standing else None,
            None if standing or order.status == NEW else write(order.start),
            order.status,
            doctors[number % 40],
            None,
        )
        kind.add(Row((order.ordered, number), stay.batch, file, stay.person, cells))
    return kind
