"""Identifiers: what is kept of them, what is not, and that nothing else can tell who somebody is."""

from __future__ import annotations

import stat

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.errors import UserError
from aclf_pipeline.warehouse.findings import RefusedError
from aclf_pipeline.warehouse.headers import match_header
from aclf_pipeline.warehouse.privacy import (
    Privacy,
    birth_month,
    check_character,
    national_id_facts,
    normalise,
)
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey
from aclf_pipeline.warehouse.redaction import Known, Redactor
from aclf_pipeline_tests.warehouse.delivery import KEY, LAB_HEADER, PAGE_HEADER, toy_source


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return toy_source(tmp_path_factory.mktemp("source"))


def protect(source, header, rows, file_name):
    layout = match_header(header, source.forms_of(file_name))
    cells = pl.DataFrame(rows, schema={str(i): pl.String for i in range(len(header))}, orient="row")
    return Privacy(source, KEY).protect(cells, layout)


def page(source, **cells):
    row = {"BAH": "0412873", "XM": "王小明", "CSRQ": "1971-04-12", "SFZH": "", "DH": "13800138000", "LYFS": "1"} | cells
    return protect(source, PAGE_HEADER, [[row[name] for name in PAGE_HEADER]], "首页.csv").frame.to_dicts()[0]


class TestKey:
    def test_it_is_made_once_and_readable_by_its_owner_only(self, tmp_path):
        path = tmp_path / "home" / "pseudonym.key"
        first = PseudonymKey.load(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(path.read_bytes()) == 32
        assert PseudonymKey.load(path).pseudonym("name", "A") == first.pseudonym("name", "A")

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
    def test_a_key_that_others_can_read_is_refused(self, tmp_path, mode):
        path = tmp_path / "pseudonym.key"
        PseudonymKey.load(path)
        path.chmod(mode)
        with pytest.raises(UserError, match="chmod 600"):
            PseudonymKey.load(path)

    def test_a_key_of_another_length_is_refused(self, tmp_path):
        path = tmp_path / "pseudonym.key"
        path.write_bytes(b"short")
        path.chmod(0o600)
        with pytest.raises(UserError, match="5 bytes"):
            PseudonymKey.load(path)

    def test_it_does_not_show_itself(self):
        assert bytes(range(32)).hex() not in repr(KEY)
        assert repr(KEY) == "PseudonymKey(…)"

    def test_another_key_gives_other_pseudonyms(self):
        assert PseudonymKey(b"x" * 32).pseudonym("record_number", "0412873") != KEY.pseudonym(
            "record_number", "0412873"
        )

    def test_the_published_vector_of_hmac_sha256(self):
        """RFC 4231 has no 32-byte key; the value is HMAC-SHA256 under bytes 0 to 31, by OpenSSL."""
        import hashlib
        import hmac

        expected = hmac.new(bytes(range(32)), b"record_number:0412873", hashlib.sha256).hexdigest()
        assert KEY.pseudonym("record_number", "0412873") == "R" + expected[:16]


class TestRecordNumbers:
    @pytest.mark.parametrize("written", ["0412873", " 0412873 ", "０４１２８７３", "0412 873"])
    def test_one_number_has_one_pseudonym_however_it_is_written(self, source, written):
        assert page(source, BAH=written)["BAH"] == KEY.pseudonym("record_number", "0412873")
        assert page(source, BAH=written)["BAH__padded"] is None

    def test_a_number_too_short_keeps_its_own_pseudonym_beside_that_of_the_number_with_its_zeros(self, source):
        row = page(source, BAH="412873")
        assert row["BAH"] == KEY.pseudonym("record_number", "412873")
        assert row["BAH__padded"] == KEY.pseudonym("record_number", "0412873")

    @pytest.mark.parametrize("blank", ["", " ", "\u3000", "-", "无数据", "NULL"])
    def test_a_blank_is_nothing(self, source, blank):
        assert page(source, BAH=blank)["BAH"] is None

    @given(st.integers(0, 9_999_999), st.integers(0, 9_999_999))
    def test_different_numbers_have_different_pseudonyms(self, one, other):
        assert (one == other) == (
            KEY.pseudonym("record_number", f"{one:07d}") == KEY.pseudonym("record_number", f"{other:07d}")
        )


class TestIdentityNumbers:
    MALE = "990101197104120537"

    def test_the_example_of_the_specification(self, source):
        row = page(source, SFZH=self.MALE)
        assert row["SFZH"] == KEY.pseudonym("national_id", self.MALE)
        assert (row["SFZH__valid"], row["SFZH__birth_month"], row["SFZH__sex"]) == ("true", "1971-04", "male")

    def test_a_number_of_the_first_generation_is_the_same_person(self):
        short = self.MALE[:6] + self.MALE[8:17]
        assert len(short) == 15
        assert national_id_facts(short) == national_id_facts(self.MALE)

    @given(st.integers(0, 999).map("{:03d}".format), st.dates())
    def test_a_number_with_one_digit_altered_is_invalid(self, order, born):
        seventeen = f"990101{born:%Y%m%d}".ljust(14, "0")[:14] + order
        number = seventeen + check_character(seventeen)
        for place in range(17):
            altered = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
            assert national_id_facts(altered)[1] == ("false", None, None)

    def test_a_lower_case_check_character_is_the_same(self):
        seventeen = next(
            f"99010119710412{i:03d}" for i in range(999) if check_character(f"99010119710412{i:03d}") == "X"
        )
        assert normalise(seventeen + "x") == seventeen + "X"
        assert national_id_facts(seventeen + "X")[1][0] == "true"

    @pytest.mark.parametrize("number", ["123", "99010119711332053X", "ABCDEFGHIJKLMNOPQR", "990101197102300530"])
    def test_what_is_no_number_is_invalid(self, number):
        assert national_id_facts(number)[1] == ("false", None, None)

    def test_blank_says_nothing(self, source):
        row = page(source, SFZH="-")
        assert [row[name] for name in ("SFZH", "SFZH__valid", "SFZH__birth_month", "SFZH__sex")] == [None] * 4

    @pytest.mark.parametrize(
        "numbers",
        [["9.90101E+17"], ["9.90101E17", "990101197104120537"], ["990101197104120000", "990101198104120000"]],
    )
    def test_numbers_that_lost_their_digits_block_the_file(self, source, numbers):
        rows = [["0412873", "王小明", "1971-04-12", number, "", "1"] for number in numbers]
        with pytest.raises(RefusedError) as refused:
            protect(source, PAGE_HEADER, rows, "首页.csv")
        (finding,) = refused.value.findings
        assert (finding.rule_id, finding.action) == ("excel_id_scientific", "block")
        assert "990101" not in finding.message


@pytest.mark.parametrize(
    ("written", "month"),
    [
        ("1971-04-12", "1971-04"),
        ("1971/4/2", "1971-04"),
        ("19710412", "1971-04"),
        ("1971年4月12日", "1971-04"),
        ("26035", "1971-04"),
        ("1971-04-12 00:00:00", "1971-04"),
        ("１９７１-04-12", "1971-04"),
        ("1971-02-30", None),
        ("1882-03-05", None),
        ("1900-01-01", None),
        ("04/12/1971", None),
        ("unknown", None),
    ],
)
def test_of_a_birth_date_month_and_year_are_kept(source, written, month):
    assert birth_month(written) == month
    row = page(source, CSRQ=written)
    assert (row["CSRQ"], row["CSRQ__problem"]) == (month, None if month else "impossible")


def test_a_blank_birth_date_is_no_problem(source):
    row = page(source, CSRQ="-")
    assert (row["CSRQ"], row["CSRQ__problem"]) == (None, None)


def test_a_name_is_hashed_and_damage_to_it_is_told(source):
    row = page(source, XM="王 小明")
    assert (row["XM"], row["XM__damaged"]) == (KEY.pseudonym("name", "王小明"), None)
    assert page(source, XM="王小?")["XM__damaged"] == "true"


def test_every_row_whose_name_lost_a_character_is_told(source):
    rows = [["1", "0412873", "王小?", "1", "", ""], ["2", "0412874", "王小明", "1", "", ""]]
    assert protect(source, LAB_HEADER, rows, "检验.csv").damaged_names == [(0, "姓名")]


def test_contact_data_is_not_stored(source):
    assert "DH" not in page(source)


def test_columns_without_identifiers_stay_byte_for_byte(source):
    row = ["1", "0412873", "王小明", " ＜12.5\t", "", ""]
    (stored,) = protect(source, LAB_HEADER, [row], "检验.csv").frame.to_dicts()
    assert (stored["标本号"], stored["结果"], stored["单位"], stored["备注"]) == ("1", " ＜12.5\t", "", "")


class TestRedaction:
    KNOWN = Known({"张三丰", "李四"}, {KEY.pseudonym("record_number", "0412873")})

    @pytest.mark.parametrize(
        ("text", "became"),
        [
            ("联系电话13800138000。", "联系电话[电话]。"),
            ("身份证990101197104120537", "身份证[身份证号]"),
            ("身份证99010119710412053X", "身份证[身份证号]"),
            ("一代证990101710412053", "一代证[身份证号]"),
            ("病案号0412873,复查", "病案号[病案号],复查"),
            ("张三丰家属李四诉", "[姓名]家属[姓名]诉"),
            ("家住虚拟省虚拟市和平路123号4栋567房,神清", "[地址],神清"),
            ("虚拟县大山镇小河村人", "[地址]人"),
        ],
    )
    def test_an_identifier_is_taken_out(self, text, became):
        assert Redactor(self.KNOWN, KEY).redact([text])[text].text == became

    @pytest.mark.parametrize(
        "text",
        [
            "HBV-DNA 7654321 IU/mL",
            "138001380001234",
            "ALT 1380,TBIL 442.5",
            "腹水,最深约45mm;门静脉血栓;感染科一区",
            "县医院查HBsAg阳性,村卫生室3次",
            "拟于3号手术室行肝移植",
            "方法:酶法",
        ],
    )
    def test_clinical_text_stays(self, text):
        redacted = Redactor(self.KNOWN, KEY).redact([text])
        assert text == "138001380001234" or redacted == {}

    def test_what_was_seen_is_counted_and_not_told(self, source):
        rows = [
            ["1", "0412873", "王小明", "1", "", "王小明 13800138000"],
            ["2", "0412874", "赵六", "1", "", "见王小明"],
            ["3", "0412874", "赵六", "1", "", "溶血"],
        ]
        protected = protect(source, LAB_HEADER, rows, "检验.csv")
        assert protected.frame["备注"].to_list() == ["[姓名] [电话]", "见[姓名]", "溶血"]
        assert protected.redactions == [(0, "备注", "1 name, 1 telephone"), (1, "备注", "1 name")]


@pytest.mark.parametrize(
    ("text", "became"),
    [
        ("电话13900001111。", "电话[电话]。"),
        ("电话+8613900001111。", "电话[电话]。"),
        ("电话 86 139-0000-1111", "电话 [电话]"),
        ("电话139 0000 1111转", "电话[电话]转"),
        ("电话１３９００００１１１１", "电话[电话]"),
        ("座机020-85250000", "座机[电话]"),
        ("座机(020)85250000", "座机[电话]"),
        ("证号990101197104120537", "证号[身份证号]"),
        ("证号990101 1971 0412 053X", "证号[身份证号]"),
        ("病案号0412873", "病案号[病案号]"),
        ("病案号412873", "病案号[病案号]"),
        ("病案号０４１２８７３", "病案号[病案号]"),
        ("张伟明诉乏力", "[姓名]诉乏力"),
        ("张 伟明诉乏力", "[姓名]诉乏力"),
        ("李小红之子签字", "[姓名]之子签字"),
        ("总胆红素 442.5 μmol/L，PT 25.3 s", None),
        ("2014-03-05 08:12 复查，血小板 1250000", None),
        ("标本 140305001966", None),
    ],
)
def test_identifiers_are_found_however_they_are_written(text, became):
    """One name is of this delivery, the other came with an earlier one, of which only the pseudonym is left."""
    known = Known(
        records={KEY.pseudonym("record_number", "0412873")}, hashed_names=frozenset({KEY.pseudonym("name", "李小红")})
    )
    known.add_names(["张伟明"], is_patient=True)
    found = Redactor(known, KEY).redact([text])
    assert (found[text].text if text in found else None) == became
