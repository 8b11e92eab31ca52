"""Bytes to text: every encoding strictly, every damage refused with its place, nothing ever replaced."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.warehouse import decode as decoding
from aclf_pipeline.warehouse.decode import decode, decompress
from aclf_pipeline.warehouse.findings import RefusedError

BOMS = {"utf-8-bom": ("utf-8-sig", b""), "utf-8": ("utf-8", b""), "utf-16-le": ("utf-16-le", b"\xff\xfe")}
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufeff"), max_size=60)


@given(texts, st.sampled_from(list(BOMS)))
def test_any_text_survives_unicode_encodings(text, found_as):
    codec, mark = BOMS[found_as]
    decoded = decode(mark + text.encode(codec))
    assert decoded.text.decode("utf-8") == text
    assert decoded.encoding == found_as


@given(texts)
def test_any_text_with_a_gb18030_header_survives_gb18030(text):
    delivered = f"检验结果,性别\n{text}"
    assert decode(delivered.encode("gb18030")).text.decode("utf-8") == delivered


@given(st.integers(1, 9))
def test_a_character_cut_by_a_read_boundary_is_whole(chunk):
    text = "检验结果,报告时间\n总胆红素𠮷,μmol/L\n" * 3
    before, decoding._CHUNK = decoding._CHUNK, chunk
    try:
        assert decode(text.encode("gb18030")).text.decode("utf-8") == text
        assert decode(text.encode("utf-8")).text.decode("utf-8") == text
        with pytest.raises(RefusedError, match="Line 2, byte 24"):
            decode(b"\xef\xbb\xbf" + "检验结果,报告\n".encode() + b"a\xffb\n" + text.encode())
    finally:
        decoding._CHUNK = before


def test_the_line_end_is_told():
    assert decode(b"a\r\nb\r\n").line_end == "crlf"
    assert decode(b"a\nb\n").line_end == "lf"
    assert decode(b"a").line_end == "none"


HEADER = "标本号,病案号,姓名,结果\n"
ROW = "201101010001,0412873,王小明,12.5\n"


def test_utf8_lines_after_gb18030_lines_are_refused_where_they_begin():
    good = (HEADER + ROW * 5).encode("gb18030")
    with pytest.raises(RefusedError) as refused:
        decode(good + (HEADER + ROW * 4).encode("utf-8"))
    (finding,) = refused.value.findings
    assert (finding.rule_id, finding.line, finding.action) == ("wrong_encoding", 7, "block")
    assert f"byte {len(good)}" in finding.message


def test_a_second_header_in_utf8_is_found_when_gb18030_follows_again():
    good = (HEADER + ROW * 5).encode("gb18030")
    with pytest.raises(RefusedError) as refused:
        decode(good + (HEADER + ROW).encode("utf-8") + ROW.encode("gb18030"))
    assert refused.value.findings[0].line == 7


def test_one_garbled_cell_is_no_damaged_file():
    garbled = "总胆红素".encode()
    data = HEADER.encode("gb18030") + ROW.encode("gb18030").replace(b"12.5", garbled) + ROW.encode("gb18030")
    assert decode(data).encoding == "gb18030"


def test_gb18030_bytes_in_a_utf8_file_are_refused_where_they_stand():
    good = (HEADER + ROW).encode("utf-8")
    with pytest.raises(RefusedError) as refused:
        decode(good + ROW.encode("gb18030") + ROW.encode("utf-8"))
    (finding,) = refused.value.findings
    assert (finding.rule_id, finding.line) == ("wrong_encoding", 3)
    assert f"byte {len(good) + 21}" in finding.message


@pytest.mark.parametrize(
    ("data", "rule", "line"),
    [
        (b"\xef\xbb\xbfa\nb\xff\n", "wrong_encoding", 2),
        (b"\xef\xbb\xbfa\n" + "王".encode()[:2], "truncated_file", 2),
        (b"\xff\xfe" + "甲\n乙\n".encode("utf-16-le") + b"\x00\xd8a\x00", "wrong_encoding", 3),
        (b"\xff\xfe" + "甲\n乙".encode("utf-16-le")[:-1], "truncated_file", 2),
        (HEADER.encode("gb18030") + b"\xff\xff\n", "wrong_encoding", 2),
        ("a,b\n1,2\n".encode("utf-16-le"), "wrong_encoding", 1),
        (b"PK\x03\x04\x00\x00", "wrong_encoding", 1),
    ],
)
def test_damage_is_refused_with_its_line(data, rule, line):
    with pytest.raises(RefusedError) as refused:
        decode(data)
    assert [(finding.rule_id, finding.line) for finding in refused.value.findings] == [(rule, line)]


def test_gzip_with_all_members():
    assert decompress(gzip.compress(b"one\n") + gzip.compress(b"two\n")) == b"one\ntwo\n"


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-9], lambda d: d[:20], lambda _: b"no gzip", lambda d: d[:-8] + b"\0" * 8]
)
def test_damaged_gzip_is_truncated(damage):
    with pytest.raises(RefusedError) as refused:
        decompress(damage(gzip.compress(b"a line of text\n" * 100)))
    assert refused.value.findings[0].rule_id == "truncated_file"
