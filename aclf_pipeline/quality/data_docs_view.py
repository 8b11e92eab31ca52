"""How Great Expectations' Data Docs look here: its documents in local templates, without script or outside address.

Its own templates load six hosts and a counted image; ours are read first, and hold everything a page needs.

What does not belong here: measuring (`expectations`) and building the site (`data_docs`).
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from great_expectations.render.view import DefaultJinjaIndexPageView, DefaultJinjaPageView
from jinja2 import ChoiceLoader, PackageLoader

TITLE: ContextVar[str] = ContextVar("title", default="")
"""What every page says in its head: the study, and whether its data are synthetic."""
_TEMPLATES = PackageLoader("aclf_pipeline.quality", "data_docs_templates")


class LocalPageView(DefaultJinjaPageView):
    """A page of a suite or of a validation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.env.loader = ChoiceLoader([_TEMPLATES, self.env.loader])
        self.env.globals["site_title"] = TITLE.get()


class LocalIndexView(DefaultJinjaIndexPageView):
    """The page that lists suites and validations."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.env.loader = ChoiceLoader([_TEMPLATES, self.env.loader])
        self.env.globals["site_title"] = TITLE.get()
