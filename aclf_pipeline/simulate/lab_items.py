"""The laboratory's items: code, printed names, units and ranges with the dates on which they change.

One entry per item and era; a new era begins on the day given. Not here: values (`lab_values`).
"""

from __future__ import annotations

from dataclasses import dataclass

from .clock import day

_Y2013, _Y2014, _Y2015, _Y2016 = day(2013, 1, 1), day(2014, 1, 1), day(2015, 1, 1), day(2016, 1, 1)
_AUG2013, _NOV2018 = day(2013, 8, 1), day(2018, 11, 1)


@dataclass(frozen=True, slots=True)
class Era:
    """How an item is printed from a day on. `factor` multiplies the value in the first unit listed by the hospital."""

    since: int
    name: str
    unit: str
    span: str
    decimals: int
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a panel: its code and its eras, oldest first."""

    code: str
    panel: str
    eras: tuple[Era, ...]


LIVER, KIDNEY, CLOT, BLOOD, INFECTION, HBV, DNA, SCREEN, AMMONIA, GAS, GROUP, FLUID = (
    "肝功能", "肾功电解质", "凝血", "血常规", "感染", "乙肝", "HBV-DNA", "筛查", "血氨", "血气", "血型", "腹水",
)  # fmt: skip
SPECIMEN: dict[str, str] = {
    LIVER: "血清", KIDNEY: "血清", CLOT: "血浆", BLOOD: "全血", INFECTION: "血清", HBV: "血清", DNA: "血清",
    SCREEN: "血清", AMMONIA: "血浆", GAS: "动脉血", GROUP: "全血", FLUID: "腹水",
}  # fmt: skip
INSTRUMENT: dict[str, str] = {
    LIVER: "AU5400", KIDNEY: "AU5400", CLOT: "CA7000", BLOOD: "XE2100", INFECTION: "COBAS-E601", HBV: "ARCHITECT",
    DNA: "ABI7500", SCREEN: "ARCHITECT", AMMONIA: "AU5400", GAS: "GEM3000", GROUP: "", FLUID: "AU5400",
}  # fmt: skip


def _one(code: str, panel: str, name: str, unit: str, span: str, decimals: int) -> Item:
    return Item(code, panel, (Era(0, name, unit, span, decimals),))


_ALT = "丙氨酸氨基转移酶"
ITEMS: tuple[Item, ...] = (
    Item(
        "TBIL",
        LIVER,
        (Era(0, "总胆红素", "μmol/L", "0-23", 1), Era(_NOV2018, "总胆红素", "μmol/L", "男:≤26;女:≤21", 1)),
    ),
    _one("DBIL", LIVER, "直接胆红素", "μmol/L", "0-6.84", 1),
    _one("IBIL", LIVER, "间接胆红素", "μmol/L", "0-17", 1),
    Item(
        "ALT",
        LIVER,
        (Era(0, "谷丙转氨酶", "U/L", "男:7-43;女:6-29", 0), Era(_Y2014, _ALT, "U/L", "男:9-50;女:7-40", 0)),
    ),
    Item(
        "AST",
        LIVER,
        (
            Era(0, "谷草转氨酶", "U/L", "男:12-37;女:10-31", 0),
            Era(_Y2014, "天门冬氨酸氨基转移酶", "U/L", "男:12-37;女:10-31", 0),
        ),
    ),
    _one("ALP", LIVER, "碱性磷酸酶", "U/L", "40-150", 0),
    _one("GGT", LIVER, "γ-谷氨酰转肽酶", "U/L", "0-47", 0),
    Item("CHE", LIVER, (Era(0, "胆碱酯酶", "U/L", "5000-12000", 0), Era(_Y2016, "胆碱酯酶", "kU/L", "5-12", 2, 0.001))),
    Item("TP", LIVER, (Era(0, "总蛋白", "g/L", "60-80", 1), Era(_AUG2013, "总蛋白", "g/L", "65-85", 1))),
    Item("ALB", LIVER, (Era(0, "白蛋白", "g/L", "35-55", 1), Era(_AUG2013, "白蛋白", "g/L", "40-55", 1))),
    _one("GLO", LIVER, "球蛋白", "g/L", "20-40", 1),
    _one("TBA", LIVER, "总胆汁酸", "μmol/L", "0-10", 1),
    _one("CREA", KIDNEY, "肌酐", "μmol/L", "50-110", 0),
    Item("UREA", KIDNEY, (Era(0, "尿素氮", "mmol/L", "2.5-6.5", 2), Era(_Y2013, "尿素", "mmol/L", "2.5-6.5", 2))),
    Item("UA", KIDNEY, (Era(0, "尿酸", "mmol/L", "0.15-0.42", 2, 0.001), Era(_Y2013, "尿酸", "μmol/L", "155-428", 0))),
    _one("K", KIDNEY, "钾", "mmol/L", "3.5-5.5", 2),
    _one("NA", KIDNEY, "钠", "mmol/L", "135-148", 1),
    _one("CL", KIDNEY, "氯", "mmol/L", "96-106", 1),
    _one("CO2CP", KIDNEY, "二氧化碳结合力", "mmol/L", "22-29", 1),
    _one("CA", KIDNEY, "钙", "mmol/L", "2.15-2.62", 2),
    _one("GLU", KIDNEY, "葡萄糖", "mmol/L", "3.6-6.1", 2),
    _one("PT", CLOT, "凝血酶原时间", "s", "9.4-12.5", 1),
    _one("PTA", CLOT, "凝血酶原活动度", "%", "70-130", 0),
    Item("INR", CLOT, (Era(0, "国际标准化比值", "", "0.8-1.15", 2), Era(_Y2015, "国际标准化比率", "", "0.8-1.15", 2))),
    _one("APTT", CLOT, "活化部分凝血活酶时间", "s", "25-40", 1),
    _one("FIB", CLOT, "纤维蛋白原", "g/L", "2-4", 2),
    Item(
        "DD", CLOT, (Era(0, "D-二聚体", "mg/L FEU", "0-0.5", 2), Era(_Y2016, "D-二聚体", "ng/mL FEU", "0-500", 0, 1000))
    ),
    _one("WBC", BLOOD, "白细胞计数", "10^9/L", "3.5-9.5", 2),
    _one("NEU#", BLOOD, "中性粒细胞绝对值", "10^9/L", "1.8-6.3", 2),
    _one("NEU%", BLOOD, "中性粒细胞百分比", "%", "40-75", 1),
    _one("LYM#", BLOOD, "淋巴细胞绝对值", "10^9/L", "1.1-3.2", 2),
    _one("LYM%", BLOOD, "淋巴细胞百分比", "%", "20-50", 1),
    _one("MON#", BLOOD, "单核细胞绝对值", "10^9/L", "0.1-0.6", 2),
    _one("HGB", BLOOD, "血红蛋白", "g/L", "男:130-175;女:115-150", 0),
    Item("HCT", BLOOD, (Era(0, "红细胞压积", "%", "40-50", 1), Era(_Y2013, "红细胞压积", "L/L", "0.40-0.50", 3, 0.01))),
    _one("PLT", BLOOD, "血小板计数", "10^9/L", "125-350", 0),
    _one("PCT", BLOOD, "血小板压积", "%", "0.1-0.3", 2),
    _one("CRP", INFECTION, "C反应蛋白", "mg/L", "<5.00", 2),
    _one("PROCT", INFECTION, "降钙素原", "ng/mL", "<0.05", 2),
    _one("IL6", INFECTION, "白细胞介素6", "pg/mL", "<7", 2),
    _one("HBSAG", HBV, "乙肝表面抗原", "COI", "<1.0", 2),
    _one("HBSAB", HBV, "乙肝表面抗体", "mIU/mL", "<10", 2),
    _one("HBEAG", HBV, "乙肝e抗原", "COI", "<1.0", 3),
    _one("HBEAB", HBV, "乙肝e抗体", "COI", ">1.0", 3),
    _one("HBCAB", HBV, "乙肝核心抗体", "COI", ">1.0", 3),
    _one("HBVDNA", DNA, "乙肝病毒DNA定量", "IU/mL", "", 0),
    _one("HCVAB", SCREEN, "丙肝抗体", "S/CO", "<1.0", 2),
    _one("HCVRNA", SCREEN, "丙肝病毒RNA", "IU/mL", "<1000", 0),
    _one("HIVAB", SCREEN, "人类免疫缺陷病毒抗原抗体", "S/CO", "<1.0", 2),
    _one("AFP", SCREEN, "甲胎蛋白", "ng/mL", "<20", 2),
    _one("TSH", SCREEN, "促甲状腺激素", "mIU/L", "0.3-4.5", 3),
    _one("FT4", SCREEN, "游离甲状腺素", "pmol/L", "9-22", 2),
    _one("FT3", SCREEN, "游离三碘甲状腺原氨酸", "pmol/L", "3.1-6.8", 2),
    _one("HCG", SCREEN, "人绒毛膜促性腺激素", "IU/L", "<5", 2),
    _one("NH3", AMMONIA, "血氨", "μmol/L", "9-30", 0),
    _one("LAC", GAS, "乳酸", "mmol/L", "0.5-2.2", 1),
    _one("PH", GAS, "PH", "", "", 2),
    _one("PO2", GAS, "氧分压", "mmHg", "80-100", 0),
    _one("FIO2", GAS, "吸入氧浓度", "%", "", 0),
    _one("ABO", GROUP, "血型", "", "", 0),
    _one("RHD", GROUP, "RhD血型", "", "", 0),
    _one("F:ALB", FLUID, "白蛋白", "g/L", "", 1),
    _one("F:TP", FLUID, "总蛋白", "g/L", "", 1),
    _one("F:WBC", FLUID, "白细胞计数", "10^9/L", "", 3),
    _one("F:NEU%", FLUID, "中性粒细胞百分比", "%", "", 1),
)
POSITION: dict[str, int] = {item.code: i for i, item in enumerate(ITEMS)}
# Until the end of 2012 procalcitonin is printed under the code of plateletcrit.
SAME_CODE_UNTIL = _Y2013

UNIT_SPELLINGS: dict[str, tuple[str, ...]] = {
    "μmol/L": ("μmol/L", "µmol/L", "umol/L"),
    "10^9/L": ("10^9/L", "×10^9/L", "10E9/L", "G/L"),
    "U/L": ("U/L", "IU/L"),
    "mIU/L": ("mIU/L", "uIU/mL"),
}
