"""Where things live: exports, warehouse, releases, reports, key file, study, source.

Every setting has a default that works in a fresh clone and an environment variable `ACLF_<NAME>`.

What does not belong here: anything clinical (protocol) and anything a study decides (its study.yaml).
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGE = Path(__file__).parent
_CHECKOUT_SQL = PACKAGE.parent / "sql"


class Settings(BaseSettings):
    """One refresh's surroundings. Paths that are not set lie below `home`, in a folder per source or study."""

    model_config = SettingsConfigDict(env_prefix="ACLF_", frozen=True, extra="ignore")

    home: Path = Field(default=Path("data"), description="Folder for everything the pipeline writes")
    study: str = Field(default="nct07198854", description="Folder name below protocol/studies")
    source: str = Field(default="his", description="Folder name below sql/staging")
    exports_dir: Path | None = Field(default=None, description="Folder with the source's batch folders")
    as_of: date | None = Field(default=None, description="Day the analysis looks back from; default: the study page's")
    review_on: date | None = Field(
        default=None, description="Day on which waivers must be valid; default: the newest delivery's, else `as_of`"
    )
    protocol: Path = Field(default=PACKAGE / "protocol", description="Folder of the protocol's pages")
    sql: Path = Field(
        default=_CHECKOUT_SQL if _CHECKOUT_SQL.is_dir() else PACKAGE / "_sql", description="Folder of the SQL graph"
    )
    reports_url: str = Field(
        default="http://127.0.0.1:3001", description="Loopback address at which `aclf ui` serves the reports"
    )
    memory_limit: str = Field(default="1GB", description="Memory DuckDB may use")
    threads: int = Field(default=2, description="Threads DuckDB may use")

    @cached_property
    def root(self) -> Path:
        """`home`, absolute: Dagster's processes may start elsewhere."""
        return self.home.expanduser().resolve()

    @property
    def exports(self) -> Path:
        """The folder that holds the source's batch folders; read, never written to."""
        return (self.exports_dir or self.root / "exports" / self.source).expanduser().resolve()

    @property
    def warehouse(self) -> Path:
        """The DuckDB file of this source."""
        return self.root / "warehouse" / f"{self.source}.duckdb"

    @property
    def releases(self) -> Path:
        """Where releases of this study are published."""
        return self.root / "releases" / self.study

    @property
    def reports(self) -> Path:
        """Where this study's pages and figures are written."""
        return self.root / "reports" / self.study

    @property
    def key_file(self) -> Path:
        """The pseudonym key, mode 0600, created on first use."""
        return self.root / "pseudonym.key"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage."""
        return self.root / "dagster"

    @property
    def is_synthetic(self) -> bool:
        """Whether the exports carry the simulator's mark, in their folder or up to two folders above it."""
        folders = [self.exports, *self.exports.parents][:3]
        return any((folder / "SIMULATED.txt").is_file() for folder in folders)
