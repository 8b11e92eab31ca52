"""Great Expectations' Data Docs: a local site of every suite and of the last runs, kept beside the other pages.

The store below `workshop` holds the results of earlier refreshes, so the site shows their history. Pages name no
outside address and need no script (data_docs_view). Suites measure columns of numbers and words; no identifier is one.

What does not belong here: what is expected, and measuring it (expectations).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

RUNS_SHOWN = 60
"""Validation pages that are kept in the site: three tables of the last twenty refreshes."""
_VIEWS = "aclf_pipeline.quality.data_docs_view"


@dataclass(frozen=True)
class DataDocs:
    """Where Data Docs are kept, and as which run this refresh enters them.

    workshop: folder of Great Expectations' own store. site: folder of the pages. title: shown on every page. run_name
    and run_time: the refresh.
    """

    workshop: Path
    site: Path
    title: str
    run_name: str
    run_time: datetime

    def context(self, gx: Any) -> Any:
        """The context that remembers earlier runs; made on first use."""
        self.workshop.mkdir(parents=True, exist_ok=True)
        context = gx.get_context(mode="file", project_root_dir=str(self.workshop))
        for name in context.get_site_names():
            context.delete_data_docs_site(name)
        context.add_data_docs_site(self.title, self._config())
        return context

    def _config(self) -> dict[str, Any]:
        page = {"view": {"module_name": _VIEWS, "class_name": "LocalPageView"}}
        return {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(self.site)},
            "site_section_builders": {
                "expectations": page,
                "validations": {**page, "validation_results_limit": RUNS_SHOWN},
                "profiling": "none",
            },
            "site_index_builder": {
                "class_name": "DefaultSiteIndexBuilder",
                "validation_results_limit": RUNS_SHOWN,
                "view": {"module_name": _VIEWS, "class_name": "LocalIndexView"},
            },
        }

    def run_id(self, gx: Any) -> Any:
        """This refresh as Great Expectations names a run."""
        return gx.RunIdentifier(run_name=self.run_name, run_time=self.run_time)

    def build(self, context: Any) -> None:
        """Write the site anew from everything in the store."""
        from aclf_pipeline.quality.data_docs_view import TITLE  # importing it imports Great Expectations

        shutil.rmtree(self.site, ignore_errors=True)
        TITLE.set(self.title)
        context.build_data_docs(site_names=[self.title])
        # its own fonts and pictures, which none of our pages shows
        shutil.rmtree(self.site / "static", ignore_errors=True)
