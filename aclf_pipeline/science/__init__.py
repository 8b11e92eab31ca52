"""Science: scores, definitions, eligibility, endpoints and survival estimators as pure functions.

Frames or arrays in, frames or arrays out. Missing in, missing out.
Files, SQL, DuckDB, Dagster, cut-offs and pages do not belong here: cut-offs arrive as arguments from the protocol.
"""
