"""What the house is worth, measured: how fast its gate is, and what it detects.

Nothing of the house imports this room but the command line.

What does not belong here: anything a refresh needs; rules, thresholds and queries of the product itself.
"""
