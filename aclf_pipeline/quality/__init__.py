"""Rows held against contracts and rules, versions told apart, tables promoted or kept back, populations expected.

The way in is `gate.run_gate` for the canonical kinds, `contract_check.check_table` for a table of the marts and
`expectations.judge_expectations` for populations.

What does not belong here: what the rules are (the protocol), what a table promises (contracts), how a row came to be
(sql), and Dagster.
"""
