"""Drafts of a source: what a folder of unknown exports seems to hold, written down as guesses for a person to finish.

What does not belong here: reading a finished source (warehouse), and deciding anything: a guess is a sentence with its
evidence, and a draft is refused until a person has been through it.
"""
