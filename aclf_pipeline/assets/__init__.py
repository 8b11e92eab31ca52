"""The only room that knows Dagster: assets, checks, jobs, the schedule and the sensor.

An asset here is thin: it opens the warehouse, calls one function of another room and reports what came of it.

What does not belong here: SQL, clinical logic, statistics, HTML.
"""
