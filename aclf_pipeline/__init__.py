"""aclf_pipeline: raw hospital exports to an analysis-ready cohort, survival models and a report.

The rooms are described in the README; this module only carries the version.
"""

__version__ = "0.1.0"
