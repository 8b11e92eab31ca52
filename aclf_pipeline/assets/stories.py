"""The story of every candidate as a page of its own, put in place all at once.

What does not belong here: what a story tells (warehouse) and how it looks (reports).
"""

from __future__ import annotations

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.site import renewed, write_pages
from aclf_pipeline.reports.links import STORIES
from aclf_pipeline.reports.stories import Group, Told, groups, story_pages
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.story import tell


def write_stories(house: House, wh: Warehouse) -> tuple[Group, ...]:
    """Write a page per candidate of the cohort and of the dropped; gives who they are, for the study page."""
    study = house.protocol.study
    stories = tell(wh, study)
    parts = [Told(part.id, part.title, part.frame, part.empty, part.is_tall) for part in stories.parts]
    made = story_pages(stories.heads, parts, study, as_of=house.as_of, synthetic=house.settings.is_synthetic)
    with renewed(house.settings.reports / STORIES, _everything_of(house)) as new:
        write_pages(new, ((place.removeprefix(f"{STORIES}/"), page) for place, page in made))
    return groups(stories.heads, study)


def _everything_of(house: House) -> list[str]:
    """Nothing of an earlier refresh comes along: who is no candidate any more has no page."""
    folder = house.settings.reports / STORIES
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []
