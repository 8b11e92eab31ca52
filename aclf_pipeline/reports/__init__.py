"""Reports: frames in, pages out.

Every function here takes polars frames and small frozen dataclasses and returns text or a figure. A page is one
self-contained HTML document: style and figures are inside it and it names no outside address.

What does not belong here: opening a database, writing a file, estimating anything, and deciding what is right. A page
repeats what the gate and the analyses found; it never recomputes a number that somebody else owns.
"""
