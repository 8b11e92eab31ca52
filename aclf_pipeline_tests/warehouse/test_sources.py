"""A source's page: what it may say, and what a reader is told when it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from aclf_pipeline.warehouse.sources import SourceError, load_source

SQL = Path(__file__).parents[2] / "sql" / "staging"

PAGE = """
id: toy
says: A hospital in a test
batches: {folder: '(?P<date>\\d{8})_(?P<type>full|incr)(?:_r(?P<n>\\d+))?', complete_when: list.csv}
blanks: ['', '-']
identifiers: {record_number: {pattern: '\\d{7}', pad: 7}, name: {}}
files:
  labs:
    kind: 检验结果
    says: Results
    format: csv
    columns:
      - {name: 病案号, aliases: [住院号], phi: K, as: record_number}
      - {name: '体温(℃)', phi: '-', required: false}
      - {name: 电话, phi: D}
absent: {imaging: none is delivered}
"""


def load(tmp_path, text):
    folder = tmp_path / "toy"
    folder.mkdir(exist_ok=True)
    (folder / "source.yaml").write_text(text, "utf-8")
    return load_source(folder)


def test_a_page_is_read_and_frozen(tmp_path):
    source = load(tmp_path, PAGE)
    labs = source.files["labs"]
    assert [column.name for column in labs.columns] == ["病案号", "体温(°C)", "电话"]
    assert labs.stored == ("病案号", "病案号__padded", "体温(°C)")
    assert [column.is_required for column in labs.columns] == [True, False, False]
    assert labs.by_spelling["住院号"].name == "病案号"
    assert source.raw_table("labs") == "raw.toy__labs"
    with pytest.raises(Exception, match="frozen"):
        source.id = "other"


@pytest.mark.parametrize(
    ("name", "forms"),
    [("检验结果_2010.csv", ["labs"]), ("检验结果.csv.gz", ["labs"]), ("检验_2010.csv", []), ("list.csv", [])],
)
def test_the_kind_is_in_the_name(tmp_path, name, forms):
    assert list(load(tmp_path, PAGE).forms_of(name)) == forms


def test_a_kind_with_an_underscore_is_the_whole_stem(tmp_path):
    page = PAGE.replace("kind: 检验结果", "kind: clif_patient")
    source = load(tmp_path, page)
    assert list(source.forms_of("clif_patient.parquet")) == ["labs"]
    assert list(source.forms_of("clif_patient_procedures.parquet")) == []


def test_every_problem_is_told_at_once_in_plain_words(tmp_path):
    text = (
        PAGE.replace("phi: D", "phi: Z")
        .replace("format: csv", "fromat: csv")
        .replace("(?P<date>", "(?P<date")
        .replace("required: false", "required: perhaps")
    )
    with pytest.raises(SourceError) as error:
        load(tmp_path, text)
    told = "\n".join(error.value.problems)
    assert len(error.value.problems) == 5
    assert "files.labs.columns.电话.phi is 'Z'; it must be one of 'K', 'D', 'Q', 'F', 'A' or '-'" in told
    assert "files.labs.fromat is not a word this page knows" in told
    assert "files.labs.format is missing" in told
    assert "which is no regular expression" in told
    assert "files.labs.columns.体温(℃).required" in told


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("as: record_number}", "as: record_numbr}", "Did you mean 'record_number'"),
        (", as: record_number}", "}", "which identifier it is"),
        ("phi: D", "phi: D, aliases: [病案号]", "'病案号' more than once"),
        ("id: toy", "id: tory", "the id is 'tory' and the folder is 'toy'"),
        ("format: csv", "format: csv\n    form_has: [病按号]", "Did you mean '病案号'"),
        ("id: toy", "id: [", "not readable as YAML"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, old, new, says):
    with pytest.raises(SourceError, match=says.replace("(", r"\(")):
        load(tmp_path, PAGE.replace(old, new, 1))


def test_an_unknown_source_names_the_known_ones(tmp_path):
    load(tmp_path, PAGE)
    with pytest.raises(SourceError, match="Did you mean 'toy'"):
        load_source(tmp_path / "toi")


@pytest.mark.parametrize("folder", sorted(path.parent for path in SQL.glob("*/source.yaml")), ids=lambda p: p.name)
def test_the_pages_of_this_house_can_be_read(folder):
    source = load_source(folder)
    assert source.id == folder.name
    assert source.files
