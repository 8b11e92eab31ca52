"""Delimited text to records: the lines, the joins, the rejects; and every cell exactly as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.warehouse.csv_records import Delimited
from aclf_pipeline.warehouse.csv_structure import split_record, structure_of
from aclf_pipeline.warehouse.findings import RefusedError

cells = st.text(st.sampled_from('ab",\r\n\t 检é'), max_size=6)
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6)
)


def sound(fields: list[str]) -> bool:
    return fields[0].isdigit()


def read(text: str, delimiter: str = ","):
    return Delimited(text.encode(), delimiter).read(sound)


def rows(records) -> list[tuple[int, ...]]:
    return sorted(zip(records.grid.lines, *records.grid.cells.get_columns(), strict=True))


def written(rows, line_end: str = "\n", *, all_quoted: bool = False, delimiter: str = ",") -> str:
    """RFC 4180; Python's own writer leaves a carriage return bare where lines end otherwise."""

    def quoted(cell: str) -> str:
        needs = all_quoted or any(mark in cell for mark in (delimiter, '"', "\r", "\n"))
        return '"' + cell.replace('"', '""') + '"' if needs else cell

    return "".join(delimiter.join(map(quoted, row)) + line_end for row in rows)


@given(tables, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from(",\t"))
def test_every_cell_and_every_line_comes_back(table, line_end, all_quoted, delimiter):
    header = [f"h{i}" for i in range(len(table[0]))]
    text = written([header, *table], line_end, all_quoted=all_quoted, delimiter=delimiter)
    records = read(text, delimiter)
    expected, line = [], 2
    for row in table:
        expected.append((line, *row))
        line += 1 + sum(cell.count("\n") for cell in row)
    assert rows(records) == expected
    assert records.rejects == []


@given(tables)
def test_the_structure_says_what_a_reader_record_by_record_says(table):
    text = written([["x"] * len(table[0]), *table], "\r\n")
    structure = structure_of(text.encode(), ",")
    assert structure.is_regular
    read_back = [
        split_record(text.encode()[a:b].decode(), ",") for a, b in zip(structure.starts, structure.ends, strict=True)
    ]
    assert read_back[1:] == table


def test_lines_count_breaks_inside_quotes():
    text = 'k,v\r\n1,"a\nb\n\nc"\r\n2,d\r\n'
    assert rows(read(text)) == [(2, "1", "a\nb\n\nc"), (6, "2", "d")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # a break in the middle column: two, three pieces
        ("1,te\nxt,z\n2,b,c\n", [(2, "1", "te\nxt", "z"), (4, "2", "b", "c")]),
        ("1,te\n\nxt,z\n2,b,c\n", [(2, "1", "te\n\nxt", "z"), (5, "2", "b", "c")]),
        ("1,a\nb\nc,z\n", [(2, "1", "a\nb\nc", "z")]),
        # a break in the last column: the first piece has all fields already
        ("1,a,no\nte\n2,b,c\n", [(2, "1", "a", "no\nte"), (4, "2", "b", "c")]),
        ("0,a,b\n1,a,no\nte\nmore\n", [(2, "0", "a", "b"), (3, "1", "a", "no\nte\nmore")]),
        # two broken records after one another
        ("1,x\ny,z\n2,x\ny,z\n", [(2, "1", "x\ny", "z"), (4, "2", "x\ny", "z")]),
        # a break beside a quoted field
        ('1,"a,\nb",no\nte\n', [(2, "1", "a,\nb", "no\nte")]),
    ],
)
def test_a_bare_line_break_is_joined_when_the_pieces_give_a_row(body, expected):
    records = read("k,v,w\n" + body)
    assert rows(records) == expected
    assert records.rejects == []
    assert {(r.line, r.rule_id, r.became) for r in records.receipts} == {
        (row[0], "embedded_newline", "one row")
        for row in expected
        if any("\n" in cell and "," not in cell for cell in row[1:])
    }


@pytest.mark.parametrize(
    ("body", "kept", "rejects"),
    [
        ("1,a,b,c\n2,d,e\n", [(3, "2", "d", "e")], [(2, "unquoted_delimiter", 1)]),
        ("x,te\nxt,z\n2,d,e\n", [(4, "2", "d", "e")], [(2, "embedded_newline", 2)]),
        ("1,a\n2,d,e\n", [(3, "2", "d", "e")], [(2, "embedded_newline", 1)]),
        ("1,a\n2,b\n3,c\n4,d,e\n", [(2, "1", "a\n2", "b"), (5, "4", "d", "e")], [(4, "embedded_newline", 1)]),
        ("x,a,b\nstray\n2,d,e\n", [(2, "x", "a", "b"), (4, "2", "d", "e")], [(3, "embedded_newline", 1)]),
        ('1,"a"b,c\n2,d,e\n', [(3, "2", "d", "e")], [(2, "stray_quote", 1)]),
    ],
)
def test_what_gives_no_row_is_rejected_in_pieces(body, kept, rejects):
    records = read("k,v,w\n" + body)
    assert rows(records) == kept
    assert [(r.line, r.rule_id, r.pieces) for r in records.rejects] == rejects


def test_a_quote_inside_an_unquoted_field_swallows_nothing():
    text = 'k,v\n1,a 12" tube\n' + "".join(f'{i},"q,{i}"\n' for i in range(2, 60))
    records = read(text)
    assert records.grid.cells.height == 59
    assert records.grid.cells.row(0) == ("1", 'a 12" tube')
    assert records.grid.cells.row(58) == ("59", "q,59")


def test_an_open_quote_takes_only_its_own_record():
    text = 'k,v\n1,a\n2,"open\n' + "".join(f"{i},x\n" for i in range(3, 200))
    records = read(text)
    assert records.grid.cells.height == 198
    assert [(r.line, r.rule_id) for r in records.rejects] == [(3, "stray_quote")]


def test_blank_lines_between_and_after_records_are_no_rows():
    records = read("k,v\n1,a\n\n2,b\n\n\n")
    assert rows(records) == [(2, "1", "a"), (4, "2", "b")]
    assert records.rejects == []


def test_the_number_of_records_is_bounded_by_what_was_rejected():
    records = read("k,v,w\n1,a,b\n2,a\n3,b,c,d\n4,d,e\n")
    assert (records.least, records.most) == (2, 4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("k,v,w\n1,a,b\n2,a", "begins on line 3"),
        ('k,v,w\n1,a,b\n2,"a', "begins on line 3"),
        ("", "is empty"),
        ("\r\n\r\n", "is empty"),
        ('"k,v,w\n', "header line cannot be read"),
    ],
)
def test_a_cut_file_is_truncated(text, says):
    with pytest.raises(RefusedError, match=says) as refused:
        read(text)
    assert refused.value.findings[0].rule_id == "truncated_file"


def test_a_missing_last_line_end_is_no_damage_when_the_record_is_whole():
    assert rows(read("k,v\n1,a")) == [(2, "1", "a")]


def test_a_header_alone_is_no_rows():
    assert rows(read("k,v\r\n")) == []
