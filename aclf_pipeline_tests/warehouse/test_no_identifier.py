"""No direct identifier reaches the warehouse: planted ones are looked for in the bytes of its files."""

from __future__ import annotations

import io

import pytest
import xlsxwriter

from aclf_pipeline_tests.warehouse.delivery import LAB_HEADER, PAGE_HEADER, Hospital, csv_bytes, lab, labs

NAME, BAH, NATIONAL_ID, PHONE = "欧阳鑫淼", "0918273", "990101197104120537", "13987654321"
CONTACT, BIRTH, ADDRESS = "司马犇", "1971-04-12", "虚拟省虚拟市和平路98765号4栋567房"
SECRETS = (NAME, BAH, "918273", NATIONAL_ID, PHONE, CONTACT, BIRTH, "98765号", "YBH-canary")


def calls() -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("随访")
    sheet.write_row("A2", ["病案号", "生存状态", "联系电话"])
    sheet.write_row("A3", [918273, "存活", PHONE])
    book.close()
    return out.getvalue()


def everything(tmp_path, suffix: str) -> bytes:
    return b"".join(path.read_bytes() for path in tmp_path.glob(f"toy.duckdb{suffix}"))


def all_cells(wh) -> bytes:
    """Every cell of every table as text: what compression of the file might hide from a search of its bytes."""
    return "\n".join(str(wh.rows(f"select * from {name}")) for name in sorted(wh.tables())).encode()


@pytest.mark.parametrize("block", [False, True], ids=["loaded", "blocked"])
def test_no_planted_identifier_is_in_the_bytes_of_the_warehouse(tmp_path, block):
    hospital = Hospital(tmp_path)
    text = f"患者{NAME}(病案号{BAH},身份证{NATIONAL_ID},电话{PHONE},住址{ADDRESS}),家属{CONTACT}代诉。临床写明腹水"
    pages = [[*PAGE_HEADER, "YBH"], [BAH, NAME, BIRTH, NATIONAL_ID, CONTACT, "1", "YBH-canary"]]
    # long enough that DuckDB writes pages of its own, not only its log
    many = [lab(i, bah=BAH, name=NAME, note=text if i % 7 == 0 else "") for i in range(5_000)]
    hospital.deliver(
        "20181015_full",
        {
            "首页_2013.csv": csv_bytes(pages, encoding="gb18030"),
            "检验_2013.csv": csv_bytes([LAB_HEADER, *many], encoding="gb18030"),
            "随访.xlsx": calls(),
            **({"检验_bad.csv": labs(lab(1, bah=BAH, name=NAME))[:-20]} if block else {}),
        },
    )
    wh = hospital.open()
    try:
        report = hospital.ingest(wh)
        with_log = everything(tmp_path, "*")
        cells = all_cells(wh)
        stored = wh.scalar("select count(*) from raw.toy__labs")
        notes = {note for (note,) in wh.rows("select distinct 备注 from raw.toy__labs where 备注 <> ''")}
    finally:
        wh.close()
    closed = everything(tmp_path, "*")
    assert [batch.state for batch in report.batches] == ["blocked" if block else "loaded"]
    assert stored == (0 if block else 5_000)
    assert all("临床写明腹水" in note for note in notes)
    told = str(report).encode()
    for secret in SECRETS:
        for where in (with_log, closed, cells, told):
            assert secret.encode("utf-8") not in where, secret
            assert secret.encode("gb18030") not in where, secret
    # the search would see them: what may be stored is there
    if not block:
        assert "μmol/L".encode() in closed
