"""Reports: frames in, pages out.

Every function here takes polars frames and small frozen dataclasses and returns text or a figure. A page is one
self-contained HTML document: style and figures are inside it and it names no outside address. Pages of one folder point
at each other by relative links.

What does not belong here: opening a database, opening a file (a download is written onto a stream that its caller
opened), estimating anything, and deciding what is right. A page repeats what the gate and the analyses found; it never
recomputes a number that somebody else owns.
"""
