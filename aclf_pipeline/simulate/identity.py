"""Invented identities: names, identity numbers, record numbers, telephones, addresses.

The identity numbers use the region prefix 990101, which is no place. Not here: sex and birth date (`population`).
"""

from __future__ import annotations

import numpy as np

from .clock import d3, to_date
from .population import Person
from .streams import stream

REGION = "990101"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_FAMILY = "陈林黄张李王吴刘蔡杨许郑谢郭洪曾邱廖赖周叶苏庄吕江何罗高萧潘简朱钟彭游詹胡施沈余卢梁"
_GIVEN = "志明建国文华伟强家豪俊杰国栋海波少华永康振宇晓峰子健德胜春生金水秋月丽君美玲淑芬桂英秀兰小红雅文惠敏"
_RARE = "𠮷𪚥䶮㛃𡋾"  # outside GBK: four bytes in GB18030
_STREETS = ("和平路", "建设大道", "解放街", "文明里", "新港路", "东风巷")


def check_character(seventeen: str) -> str:
    """Check character of an 18-place identity number (ISO 7064 mod 11-2) from its first 17 digits."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(seventeen, _WEIGHTS, strict=True)) % 11]


def first_generation(number: str) -> str:
    """The 15-place form of an 18-place number of a person born in the 20th century."""
    return number[:6] + number[8:17]


def name_of(rng: np.random.Generator) -> str:
    """A name of two to four characters; 0.3 % hold one outside GBK."""
    family = _FAMILY[int(rng.integers(len(_FAMILY)))]
    length = int(rng.choice((1, 2, 3), p=(0.15, 0.83, 0.02)))
    given = [_GIVEN[int(rng.integers(len(_GIVEN)))] for _ in range(length)]
    if rng.random() < 0.003:
        given[-1] = _RARE[int(rng.integers(len(_RARE)))]
    return family + "".join(given)


def phone_of(rng: np.random.Generator) -> str:
    """A telephone number of eleven digits."""
    return f"1{int(rng.integers(3, 10))}{int(rng.integers(0, 10**9)):09d}"


def address_of(rng: np.random.Generator) -> str:
    """An address in the region that does not exist."""
    street = _STREETS[int(rng.integers(len(_STREETS)))]
    return (
        f"虚拟省虚拟市{street}{int(rng.integers(1, 400))}号{int(rng.integers(1, 30))}栋{int(rng.integers(101, 1800))}房"
    )


def give_identities(persons: list[Person], seed: int) -> None:
    """Fill name, identity number and record number; numbers are unique."""
    rng = stream(seed, "identity")
    numbers = rng.choice(900_000, size=len(persons), replace=False) + 100_000
    taken: set[str] = set()
    for person, number in zip(persons, numbers, strict=True):
        person.bah = f"{int(number):07d}"
        person.name = name_of(rng)
        while True:
            order = int(rng.integers(0, 500)) * 2 + (0 if person.female else 1)
            stem = f"{REGION}{d3(person.birth)}{order:03d}"
            if stem not in taken:
                break
        taken.add(stem)
        check = check_character(stem)
        person.id_number = stem + (check.lower() if check == "X" and rng.random() < 0.1 else check)


def completed_years(birth: int, at: int) -> int:
    """Age in completed years on a day."""
    born, then = to_date(birth), to_date(at)
    return then.year - born.year - ((then.month, then.day) < (born.month, born.day))
