"""The catalogue of damage: for every class, which rules are there for it.

What does not belong here: counting (`detection`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter
from ruamel.yaml import YAML


class Expected(BaseModel):
    """What the catalogue expects of one class: the rules that are there for it, and where their findings stand.

    `row`: at one of the damaged lines; `person`: on the person (a removed row leaves no line); `file`: on the file or
    batch. A `habit` is how the source always speaks: reading it is no finding.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    met_by: tuple[str, ...]
    at: Literal["row", "person", "file"] = "row"
    habit: bool = False


@cache
def catalogue() -> Mapping[str, Expected]:
    """Every class of damage with what is expected of the gate (catalogue.yaml)."""
    page = YAML(typ="safe").load(Path(__file__).with_name("catalogue.yaml"))
    return TypeAdapter(dict[str, Expected]).validate_python(page)
