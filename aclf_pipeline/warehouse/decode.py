"""Bytes as delivered → UTF-8 text: decompressed, decoded strictly under one encoding, or refused with the place.

The encoding is found, not trusted: a byte order mark, else strict UTF-8, else strict GB18030. A file that decodes under
none, or changes its encoding on the way, is refused. Nothing is ever replaced.

What does not belong here: lines, records and columns (`csv_records`).
"""

from __future__ import annotations

import codecs
import re
import zlib
from dataclasses import dataclass

from aclf_pipeline.warehouse.findings import Finding, RefusedError, truncated, wrong_encoding

_CHUNK = 1 << 22
_GZIP_WINDOW = 31
_HAN = re.compile("[\u4e00-\u9fff]")
_ENOUGH_HAN = 2
_NAMES = {"utf-8": "UTF-8", "utf-8-bom": "UTF-8", "utf-16-le": "UTF-16LE", "gb18030": "GB18030"}


@dataclass(frozen=True)
class Decoded:
    """A text: its UTF-8 bytes without byte order mark, and how it was delivered."""

    text: bytes
    encoding: str
    line_end: str


@dataclass(frozen=True)
class _Broken:
    """The first byte an encoding cannot read."""

    offset: int
    at_end: bool


def decompress(data: bytes) -> bytes:
    """The content of a gzip file, all members. Raises RefusedError (`truncated_file`) without an end of stream."""
    parts = []
    rest = data
    while rest:
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            parts.append(member.decompress(rest))
        except zlib.error as error:
            raise RefusedError(truncated(f"The compressed file is damaged ({error})")) from error
        if not member.eof:
            raise RefusedError(truncated("The compressed file ends before its end of stream"))
        rest = member.unused_data
    return b"".join(parts)


def decode(data: bytes) -> Decoded:
    """Find the encoding and decode all of it.

    Raises RefusedError: `wrong_encoding` with line and byte offset (in the decompressed file, from 0), `truncated_file`
    when only the last character is cut.
    """
    if data.startswith(codecs.BOM_UTF8):
        return _decoded(_strict(data, "utf-8", "utf-8-bom", skip=3), "utf-8-bom")
    if data.startswith(codecs.BOM_UTF16_LE):
        return _decoded(_strict(data, "utf-16-le", "utf-16-le", skip=2), "utf-16-le")
    utf8 = _try(data, "utf-8")
    if not isinstance(utf8, _Broken):
        return _decoded(utf8, "utf-8")
    if _is_utf8_chinese(_first_line(data)):
        raise RefusedError(_refusal(data, utf8, "utf-8"))
    foreign = _first_utf8_line(data)
    gb18030 = _try(data, "gb18030")
    if isinstance(gb18030, _Broken) and (foreign is None or gb18030.offset < foreign):
        raise RefusedError(_refusal(data, gb18030, "gb18030"))
    if foreign is not None:
        line = data.count(b"\n", 0, foreign) + 1
        raise RefusedError(
            wrong_encoding(
                f"Line {line} (byte {foreign}) and what follows is UTF-8 in a file that began as GB18030", line
            )
        )
    return _decoded(gb18030, "gb18030")  # type: ignore[arg-type]


def _decoded(text: bytes, encoding: str) -> Decoded:
    at = text.find(b"\x00")
    if at >= 0:
        line = text.count(b"\n", 0, at) + 1
        raise RefusedError(
            wrong_encoding(f"Line {line} holds a zero byte (byte {at}): binary, or UTF-16 without its mark", line)
        )
    first = text.find(b"\n")
    line_end = "none" if first < 0 else "crlf" if text[first - 1 : first] == b"\r" else "lf"
    return Decoded(text, encoding, line_end)


def _strict(data: bytes, codec: str, encoding: str, skip: int) -> bytes:
    decoded = _try(data, codec, skip)
    if isinstance(decoded, _Broken):
        raise RefusedError(_refusal(data, decoded, encoding))
    return decoded


def _try(data: bytes, codec: str, skip: int = 0) -> bytes | _Broken:
    """UTF-8 bytes of the text, piece by piece so that the memory in use stays small; or where decoding broke."""
    decoder = codecs.getincrementaldecoder(codec)("strict")
    text = bytearray()
    for start in range(skip, max(len(data), skip + 1), _CHUNK):
        pending = len(decoder.getstate()[0])
        piece = data[start : start + _CHUNK]
        final = start + _CHUNK >= len(data)
        try:
            text += decoder.decode(piece, final).encode("utf-8")
        except UnicodeDecodeError as error:
            cut = final and error.end >= len(error.object) and ("unexpected end" in error.reason or _is_cut(error))
            return _Broken(start - pending + error.start, cut)
        except UnicodeEncodeError:
            # half a surrogate pair in code units that are each well formed; the place is known to a piece only
            return _Broken(start - pending, at_end=False)
    return bytes(text)


def _is_cut(error: UnicodeDecodeError) -> bool:
    return "incomplete" in error.reason or "truncated" in error.reason


def _refusal(data: bytes, broken: _Broken, encoding: str) -> Finding:
    if encoding == "utf-16-le":
        line = data[2 : broken.offset].decode("utf-16-le", "ignore").count("\n") + 1
    else:
        line = data.count(b"\n", 0, broken.offset) + 1
    if broken.at_end:
        return truncated(f"The file ends inside a character, on line {line} (byte {broken.offset})", line)
    return wrong_encoding(f"Line {line}, byte {broken.offset}: not {_NAMES[encoding]}, as the file is before it", line)


def _first_line(data: bytes) -> bytes:
    return data[: data.find(b"\n") + 1] or data


def _is_utf8_chinese(line: bytes) -> bool:
    """Whether a line reads as UTF-8 with several Chinese characters, which GB18030 text hardly ever does by chance."""
    try:
        return len(_HAN.findall(line.decode("utf-8"))) >= _ENOUGH_HAN
    except UnicodeDecodeError:
        return False


def _first_utf8_line(data: bytes) -> int | None:
    """Where a tail of whole UTF-8 lines begins: its last line, or a second header line, is UTF-8; None when neither is.

    A single cell of UTF-8 bytes inside a GB18030 line is a damaged row, not a damaged file, and is not meant.
    """
    body = data.rstrip(b"\r\n")
    last = body.rfind(b"\n") + 1
    header = _header_as_utf8(data)
    again = data.find(b"\n" + header) + 1 if header else 0
    if not _is_utf8_chinese(body[last:]):
        return again or None
    start = at = last
    while at > 0:
        before = body.rfind(b"\n", 0, at - 1) + 1
        line = body[before : at - 1]
        if _is_utf8_chinese(line):
            start = before
        elif not line.isascii():
            break
        at = before
    return min(start, again) if again else start


def _header_as_utf8(data: bytes) -> bytes:
    """The header line, re-coded to UTF-8; empty when it holds no Chinese or is no GB18030."""
    try:
        header = _first_line(data).decode("gb18030").strip()
    except UnicodeDecodeError:
        return b""
    return header.encode("utf-8") if _HAN.search(header) else b""
