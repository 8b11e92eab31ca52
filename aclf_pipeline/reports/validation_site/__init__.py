"""The validation site: an overview, a page per rule, a page per delivered file, the cases to be decided, and downloads.

Every page is static and whole in itself; the pages point at each other by relative links, so the folder opens from a
disk as well as from a server. What a frame does not hold is no section: nothing is shown empty that was not asked for.

What does not belong here: judging rows (quality), reading tables and putting files in place (assets), and any direct
identifier. A patient is shown by pseudonym or not at all; what is meant for the hospital carries no pseudonym either.
"""
