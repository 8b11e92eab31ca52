"""The command line: what it prints is what somebody can act on, and a mistake ends in a sentence and exit code 2."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from aclf_pipeline.assets.outcome import describe_outcome
from aclf_pipeline.cli import app, console
from aclf_pipeline.errors import UserError
from aclf_pipeline.settings import PACKAGE, Settings
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.ledger import violation_counts
from aclf_pipeline.warehouse.row_id import pack

on_clean = pytest.mark.xdist_group("clean")


class Terminal:
    """Runs `aclf` with a home and exports in the environment, wide enough that no table is folded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        for name in ("HOME", "EXPORTS_DIR", "STUDY", "SOURCE", "PROTOCOL", "SQL", "AS_OF", "REVIEW_ON", "REPORTS_URL"):
            monkeypatch.delenv(f"ACLF_{name}", raising=False)
        monkeypatch.setenv("COLUMNS", "300")
        # our console read its width when it was imported, in another test perhaps
        monkeypatch.setattr(console, "width", 300)

    def __call__(self, *words: str, **environment: object):
        for name, value in environment.items():
            self._patch.setenv(f"ACLF_{name}", str(value))
        result = CliRunner().invoke(app, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result


@pytest.fixture
def aclf(monkeypatch) -> Terminal:
    return Terminal(monkeypatch)


@pytest.fixture
def of_clean(aclf, clean) -> Terminal:
    """The terminal of the clean home."""
    aclf._patch.setenv("ACLF_HOME", str(clean.settings.root))
    aclf._patch.setenv("ACLF_EXPORTS_DIR", str(clean.settings.exports))
    return aclf


def mistake(result, *parts: str) -> None:
    """One sentence per problem on stderr, nothing else, exit code 2."""
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert all(line.startswith("✗ ") for line in result.stderr.splitlines())
    assert [part for part in parts if part not in result.stderr] == [], result.stderr


class TestCases:
    """A worklist drawn by hand, under the real pages with one question added."""

    QUESTION = "- {id: which_day, asks: On which day?, choices: {first: f, last: l}, default: first, because: b}\n"

    @pytest.fixture
    def listed(self, aclf, tmp_path):
        protocol = tmp_path / "protocol"
        shutil.copytree(PACKAGE / "protocol", protocol, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        page = (protocol / "questions.yaml").read_text("utf-8").replace("\n[]\n", "\n")
        (protocol / "questions.yaml").write_text(page + self.QUESTION, "utf-8")
        with Warehouse.open(tmp_path / "warehouse" / "his.duckdb") as wh:
            for patient, state, decision in (("R1", "open", None), ("R2", "decided", "last")):
                wh.execute(
                    "insert into quality.cases values ('r', 'C' || $1, 'which_day', $1, ['a_rule'], '0a1b2c3d',"
                    " ['deaths, his/20190115_incr/a.csv, line 7: died 2014-05-03 [/]'], 'first', $2,"
                    " coalesce($2, 'first'), $3, 'hepatologist', date '2026-01-01', 'looked at')",
                    [patient, decision, state],
                )
        aclf._patch.setenv("ACLF_HOME", str(tmp_path))
        aclf._patch.setenv("ACLF_PROTOCOL", str(protocol))
        return aclf

    def test_a_case_is_shown_with_evidence_default_and_the_stanza_that_decides_it(self, listed):
        result = listed("cases")
        assert result.exit_code == 0, result.output
        for part in (
            "case CR1, open: which_day of patient R1",
            "On which day?",
            "in force: nobody has decided; the default 'first' holds",
            "deaths, his/20190115_incr/a.csv, line 7: died 2014-05-03 [/]",
            "    - question: which_day\n      patient: R1\n      evidence: '0a1b2c3d'\n",
            "      decision:  # one of: first, last\n",
            "1 case: 1 open",
        ):
            assert part in result.output
        assert "R2" not in result.output

    def test_decided_cases_are_shown_when_asked_for(self, listed):
        result = listed("cases", "which_day", "--all")
        assert "in force: 'last' was decided by hepatologist on 2026-01-01: looked at" in result.output
        assert "2 cases: 1 open, 1 decided" in result.output

    def test_an_unknown_question_is_answered_with_the_nearest(self, listed):
        mistake(listed("cases", "which_days"), "questions.yaml has no question 'which_days'. Did you mean 'which_day'?")

    def test_without_a_case_nothing_is_to_be_decided(self, listed, tmp_path):
        with Warehouse.open(tmp_path / "warehouse" / "his.duckdb") as wh:
            wh.execute("delete from quality.cases where state = 'open'")
        assert listed("cases").output == "No case is to be decided.\n"


class TestDoctor:
    @on_clean
    def test_a_good_home_passes(self, of_clean):
        result = of_clean("doctor")
        assert result.exit_code == 0, result.output
        assert "✗" not in result.output
        for part in (
            "4 complete batches",
            "readable by its owner only",
            "no circle, every parent known",
            "can be written",
        ):
            assert part in result.output

    def test_a_misprint_on_a_page_is_explained_beside_everything_else(self, aclf, tmp_path):
        protocol = tmp_path / "protocol"
        shutil.copytree(PACKAGE / "protocol", protocol, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        page = protocol / "rules.yaml"
        text = page.read_text("utf-8")
        assert "discharged_at" in text
        page.write_text(re.sub(r"\bdischarged_at\b", "dischargd_at", text), "utf-8")
        (tmp_path / "pseudonym.key").write_bytes(b"k" * 32)
        (tmp_path / "pseudonym.key").chmod(0o644)
        result = aclf("doctor", PROTOCOL=protocol, HOME=tmp_path)
        assert result.exit_code == 2
        assert "Did you mean 'discharged_at'?" in result.output
        assert "rules" in result.output
        assert "others can read" in result.output, "a misprint does not hide an unsafe key"

    @pytest.mark.parametrize(
        ("size", "mode", "says"),
        [
            (32, 0o640, "others can read '{key}' (mode 0640). Run: chmod 600 '{key}'"),
            (31, 0o600, "it has 31 bytes, and must have 32"),
        ],
    )
    def test_an_unsafe_or_damaged_key_fails(self, aclf, tmp_path, size, mode, says):
        key = tmp_path / "pseudonym.key"
        key.write_bytes(b"k" * size)
        key.chmod(mode)
        (tmp_path / "exports").mkdir()
        result = aclf("doctor", HOME=tmp_path, EXPORTS_DIR=tmp_path / "exports")
        assert result.exit_code == 2
        assert f"✗ pseudonym key: {says.format(key=key)}" in result.output
        assert "! exports: 0 complete batches" in result.output

    def test_missing_exports_fail_and_nothing_is_written(self, aclf, tmp_path):
        result = aclf("doctor", "--home", str(tmp_path / "home"), "--exports", str(tmp_path / "nowhere"))
        assert result.exit_code == 2
        assert f"✗ exports: '{tmp_path / 'nowhere'}' is not a folder. Put batch folders there" in result.output
        assert list(tmp_path.iterdir()) == []

    def test_a_study_with_pages_and_no_contract_is_told(self, aclf, tmp_path):
        protocol = tmp_path / "protocol"
        shutil.copytree(PACKAGE / "protocol", protocol, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        shutil.copytree(protocol / "studies" / "nct07198854", protocol / "studies" / "another")
        page = protocol / "studies" / "another" / "study.yaml"
        page.write_text(page.read_text("utf-8").replace("id: nct07198854", "id: another"), "utf-8")
        result = aclf("doctor", "--study", "another", PROTOCOL=protocol, HOME=tmp_path)
        assert result.exit_code == 2
        assert "study 'another' has pages and no contract of its marts" in result.output


@pytest.fixture(scope="module")
def traced(clean) -> dict:
    """A candidate of the cohort with a bilirubin, and what each layer holds of it."""
    with Warehouse.open(clean.settings.warehouse) as wh:
        found = wh.frame(
            """select p.candidate_id, p.value, p.explanation, f.path, row_line(l._row_id) as line,
                   r.结果, r.单位, l.factor, l.verdict, cast(l.collected_at as varchar) as collected_at
               from marts.cohort_provenance as p
               inner join intermediate.labs as l on l._row_id = p.row_ids[1]
               inner join quality.files as f on f.file_id = row_file(l._row_id)
               inner join raw.his__lab_results as r on r._row_id = row_raw(l._row_id)
               where p.variable = 'bilirubin_total' and p.value is not null order by p.candidate_id limit 1"""
        )
    return found.to_dicts()[0]


@on_clean
class TestTrace:
    def test_a_value_is_followed_to_file_line_raw_text_unit_conversion_verdict_and_reason(self, of_clean, traced):
        result = of_clean("trace", traced["candidate_id"], "bilirubin_total")
        assert (result.exit_code, result.stderr) == (0, "")
        first, _, head, why, place, *steps = result.stdout.splitlines()
        said = {line[4:16].strip(): line[16:] for line in steps}
        assert first.startswith(f"candidate {traced['candidate_id']}, person R")
        assert first.endswith(": in the cohort")
        assert head == f"bilirubin_total = {traced['value']:.7g} umol/L"
        assert why == f"  why: {traced['explanation']}"
        assert re.search(r"nearest of \d+ results? .*from time zero", why)
        assert place == f"  from: {traced['path']}, line {traced['line']}"
        assert f"结果={traced['结果']}" in said["delivered"]
        assert f"单位={traced['单位']}" in said["delivered"]
        assert f"(text '{traced['结果']}', unit '{traced['单位']}')" in said["read as"]
        assert f"collected {traced['collected_at'][:16]}" in said["read as"]
        assert "LOINC 14631-6" in said["read as"]
        assert said["converted"].endswith(f"× {traced['factor']:.7g} = {traced['value']:.7g} umol/L (bilirubin_total)")
        assert said["verdict"] == f"{traced['verdict']}, a number"

    def test_a_unit_is_converted_before_the_readers_eyes(self, of_clean, clean):
        with Warehouse.open(clean.settings.warehouse) as wh:
            candidate = wh.scalar(
                """select p.candidate_id from marts.cohort_provenance as p
                   inner join intermediate.labs as l on l._row_id = p.row_ids[1]
                   where p.variable = 'hbv_dna_log10' and l.factor <> 1 and l.verdict = 'used' order by all limit 1"""
            )
        result = of_clean("trace", candidate, "hbv_dna_log10")
        value, number, factor, product = re.search(
            r"^hbv_dna_log10 = (\S+) log10 \[IU\]/mL$.*^    converted   (\S+) \{copies\}/mL × (\S+) = (\S+) \[IU\]/mL",
            result.stdout,
            re.MULTILINE | re.DOTALL,
        ).groups()
        assert float(number) * float(factor) == pytest.approx(float(product), rel=1e-5)
        assert 10 ** float(value) == pytest.approx(float(product), rel=1e-5)

    def test_all_values_of_a_candidate_one_line_per_fact(self, of_clean, traced):
        result = of_clean("trace", traced["candidate_id"], "--all")
        heads = [line for line in result.stdout.splitlines() if re.match(r"^[a-z_0-9]+ = ", line)]
        assert len(heads) > 40
        assert not [head for head in heads if "missing " in head or head.endswith(" 1 1")]
        starts = ("candidate ", "  why: ", "  from: ", "  rules: ", "  … and ", "  not taken: ", "    ")
        stray = [
            line for line in result.stdout.splitlines() if line and line not in heads and not line.startswith(starts)
        ]
        assert stray == [], "a line break inside a delivered text does not break the page"

    @pytest.mark.parametrize("eligible", [True, False])
    def test_the_story_of_a_patient_in_or_out_of_the_cohort_names_every_criterion(self, of_clean, clean, eligible):
        with Warehouse.open(clean.settings.warehouse) as wh:
            candidate, infusions = wh.rows(
                """select c.candidate_id, c.infusions from marts.eligibility as e inner join marts.candidates as c
                   using (candidate_id) where e.eligible = ? order by c.infusions desc, c.candidate_id limit 1""",
                [eligible],
            )[0]
            criteria = [name for (name,) in wh.rows("select criterion from marts.attrition order by step")]
            reasons = wh.scalar("select exclusion_reasons from marts.eligibility where candidate_id = ?", [candidate])
        result = of_clean("trace", candidate)
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert (
            lines[0].split(": ", 1)[1].startswith("in the cohort" if eligible else f"not in the cohort ({reasons[0]})")
        )
        verdicts = dict(re.findall(r"^ +\d+ (\w+): (met|not met)", result.stdout, re.MULTILINE))
        assert verdicts == {name: "not met" if name in reasons else "met" for name in criteria}
        infused = lines[lines.index("Infusions") + 1 : lines.index("", lines.index("Infusions"))]
        assert sum("is_counted=yes" in line for line in infused) == infusions

    def test_every_candidate_has_a_page_that_the_study_page_leads_to(self, clean):
        reports = clean.settings.reports
        with Warehouse.open(clean.settings.warehouse) as wh:
            candidates = {name for (name,) in wh.rows("select candidate_id from marts.candidates")}
        study = (reports / "study.html").read_text("utf-8")
        assert set(re.findall(r'href="stories/(\w+)\.html"', study)) == candidates
        assert {path.stem for path in (reports / "stories").glob("*.html")} == candidates
        released = next(clean.settings.releases.glob("*/study.html")).read_text("utf-8")
        assert "stories/" not in released

    def test_an_unknown_patient_is_answered_with_the_nearest_once(self, of_clean, traced):
        known = traced["candidate_id"]
        misread = known[:-1] + ("0" if known[-1] != "0" else "1")
        result = of_clean("trace", misread, "bilirubin_total")
        mistake(result, f"trace: there is no candidate, person or record '{misread}'. Did you mean '{known}'")
        assert result.stderr.count(known) == 1

    def test_an_unknown_variable_is_answered_with_the_nearest(self, of_clean, traced):
        mistake(of_clean("trace", traced["candidate_id"], "bilirubin_totl"), "Did you mean 'bilirubin_total'")

    @pytest.mark.parametrize("words", [("trace", "R0123456789abcdef"), ("violations",), ("violations", "x")])
    def test_without_a_warehouse_none_is_made(self, aclf, tmp_path, words):
        home = tmp_path / "home"
        mistake(
            aclf(*words, "--home", str(home)), f"there is no '{home / 'warehouse' / 'his.duckdb'}' yet", "aclf refresh"
        )
        assert not home.exists()


@pytest.fixture
def judged(tmp_path) -> Settings:
    """A warehouse in which one rule found rows and one found none; the observed text looks like markup."""
    settings = Settings(home=tmp_path / "home")
    with Warehouse.open(settings.warehouse) as wh:
        for rule, failing in (("labs_within_hard_limits", 2), ("labs_key_unique", 0)):
            wh.execute(
                "insert into quality.checks (refresh_id, rule_id, table_name, category, action, rows, failing_rows,"
                " share, tolerate, passed, blocking, seq, basis, new, reopened, resolved)"
                " values ('r', ?, 'labs', 'c', 'quarantine', 10, ?, 0, 0, true, false, 1, 'b', 2, 0, 7)",
                [rule, failing],
            )
        for line, observed in ((5, "[bold]138[/bold] :100:"), (6, "9[/x]")):
            wh.execute(
                "insert into quality.violations values"
                " ('r', 'labs', 'labs_within_hard_limits', 'f', ?, 'R1', 'quarantine', ?, 'd')",
                [pack(1, line), observed],
            )
        given = {
            "file_id": "1", "source": "'his'", "batch": "'b'", "path": "'b/检验.csv'", "name": "'n'", "kind": "'k'",
            "raw_table": "'raw.t'", "form": "'f'", "sha256": "'x'", "bytes": "1", "columns": "1", "rows": "1",
            "is_snapshot": "false", "state": "'loaded'", "loaded_at": "timestamp '2020-01-01'",
        }  # fmt: skip
        wh.execute(f"insert into quality.files ({', '.join(given)}) values ({', '.join(given.values())})")
    return settings


class TestViolations:
    def test_counts_of_every_rule(self, aclf, judged):
        result = aclf("violations", HOME=judged.root)
        assert result.exit_code == 0
        assert re.search(r"labs_within_hard_limits +│ labs +│ quarantine +│ +2 │ +1 │", result.stdout)
        with Warehouse.open(judged.warehouse) as wh:
            assert violation_counts(wh).height == 1

    def test_rows_of_one_rule_with_file_line_and_the_text_as_it_was(self, aclf, judged):
        result = aclf("violations", "labs_within_hard_limits", HOME=judged.root)
        assert result.exit_code == 0
        assert re.search(r"R1 +│ \[bold\]138\[/bold\] :100: │ b/检验.csv │ +│ +5 │", result.stdout), result.stdout
        assert re.search(r"R1 +│ 9\[/x\] +│ b/检验.csv │ +│ +6 │", result.stdout), result.stdout

    def test_at_most_so_many(self, aclf, judged):
        result = aclf("violations", "labs_within_hard_limits", "--limit", "1", HOME=judged.root)
        assert result.stdout.count("b/检验.csv") == 1

    def test_a_rule_nothing_broke_is_said_in_words(self, aclf, judged):
        result = aclf("violations", "labs_key_unique", HOME=judged.root)
        assert (result.exit_code, result.stdout) == (0, "No row violates rule 'labs_key_unique'.\n")

    def test_an_unknown_rule_is_not_taken_for_one_that_nothing_broke(self, aclf, judged):
        result = aclf("violations", "labs_within_hard_limit", HOME=judged.root)
        mistake(
            result, "no refresh has judged a rule 'labs_within_hard_limit'. Did you mean 'labs_within_hard_limits'?"
        )

    def test_findings_are_asked_for_by_what_became_of_them(self, aclf, judged):
        result = aclf("violations", "labs_key_unique", "--state", "resolved", HOME=judged.root)
        assert (result.exit_code, result.stdout) == (0, "No finding of rule 'labs_key_unique' is resolved.\n")
        mistake(
            aclf("violations", "labs_key_unique", "--state", "resolvd", HOME=judged.root),
            "--state is 'resolvd'", "Did you mean 'resolved'?",
        )  # fmt: skip
        mistake(aclf("violations", "--state", "new", HOME=judged.root), "--state asks for a rule")

    @on_clean
    def test_of_a_clean_home_there_are_none_that_set_rows_aside(self, of_clean):
        result = of_clean("violations")
        assert result.exit_code == 0
        assert "quarantine" not in result.stdout


class TestRefresh:
    def test_an_unknown_study_is_named_with_the_nearest_and_nothing_is_written(self, aclf, tmp_path):
        result = aclf("refresh", "--study", "nct0719885", "--home", str(tmp_path / "home"))
        mistake(result, "study 'nct0719885' has no folder under studies/. Did you mean 'nct07198854'?")
        assert not (tmp_path / "home").exists()

    def test_an_unknown_source_is_named_with_the_nearest(self, aclf, tmp_path):
        mistake(
            aclf("refresh", "--source", "hiss", "--home", str(tmp_path)),
            "source 'hiss' has no page",
            "Did you mean 'his'?",
        )

    def test_a_study_of_another_source_says_which(self, aclf, tmp_path):
        mistake(aclf("refresh", "--study", "icu_cirrhosis", "--home", str(tmp_path)), "Say --source clif")

    def test_a_setting_that_cannot_be_read_is_named(self, aclf, tmp_path):
        mistake(
            aclf("refresh", "--home", str(tmp_path), THREADS="two"), "settings: ACLF_THREADS is 'two'", "valid integer"
        )

    @pytest.mark.parametrize("day", ["2018-13-01", "yesterday"])
    def test_a_day_that_is_none(self, aclf, tmp_path, day):
        result = aclf("refresh", "--as-of", day, "--home", str(tmp_path))
        assert result.exit_code == 2
        assert "does not match the format" in result.output

    def test_what_must_be_right_first_is_told_all_at_once_and_nothing_is_written(self, aclf, tmp_path):
        home = tmp_path / "home"
        home.mkdir()
        (home / "pseudonym.key").write_bytes(b"k" * 32)
        (home / "pseudonym.key").chmod(0o644)
        result = aclf("refresh", "--home", str(home), "--exports", str(tmp_path / "nowhere"))
        mistake(result, f"exports: '{tmp_path / 'nowhere'}' is not a folder", "pseudonym key: others can read")
        assert [path.name for path in home.iterdir()] == ["pseudonym.key"]


class TestOutcome:
    """What the terminal says of a run whose steps end in one way or another."""

    def outcome(self, home: Path, *assets: dg.AssetsDefinition):
        job = dg.Definitions(assets=assets, jobs=[dg.define_asset_job("all")]).resolve_job_def("all")
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=quiet)
        return describe_outcome(Settings(home=home, exports_dir=home), result)

    @pytest.mark.parametrize(
        ("error", "says"),
        [
            (UserError(["pages: one", "pages: two"]), "step broken failed: pages: one\npages: two"),
            (dg.Failure("the reason is [here]"), r"step broken failed: the reason is \[here]"),
            (ZeroDivisionError("by zero"), "step broken failed: ZeroDivisionError: by zero"),
        ],
    )
    def test_a_failed_step_tells_its_reason(self, tmp_path, error, says):
        @dg.asset
        def broken() -> None:
            raise error

        outcome = self.outcome(tmp_path, broken)
        assert not outcome.passed
        assert any(says in line for line in outcome.lines), outcome.lines
        assert "[red]Not published[/red]; the last release stands." in outcome.lines

    @pytest.mark.parametrize("accepted", [True, False])
    def test_a_refused_batch_ends_with_1_although_everything_else_passed(self, tmp_path, accepted):
        @dg.asset(check_specs=[dg.AssetCheckSpec("batches_accepted", asset="files")])
        def files() -> dg.MaterializeResult:
            check = dg.AssetCheckResult(passed=accepted, check_name="batches_accepted", description="held back: [b]")
            return dg.MaterializeResult(check_results=[check])

        @dg.asset
        def release() -> dg.MaterializeResult:
            return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path("/somewhere/2019-10-31-abc")})

        outcome = self.outcome(tmp_path, files, release)
        assert outcome.passed is accepted
        assert "  release /somewhere/2019-10-31-abc" in outcome.lines
        assert any("A batch was refused" in line for line in outcome.lines) is not accepted


class TestSimulate:
    @pytest.mark.parametrize("command", ["simulate", "demo"])
    def test_an_unknown_profile_is_named_with_the_nearest_and_nothing_is_written(self, aclf, tmp_path, command):
        place = [str(tmp_path / "bundle")] if command == "simulate" else ["--home", str(tmp_path / "bundle")]
        result = aclf(command, *place, "--profile", "cleann")
        mistake(result, "simulate: profile asks for 'cleann', which is not known. Did you mean 'clean'?")
        assert list(tmp_path.iterdir()) == []

    def test_exports_are_never_written_over(self, aclf, tmp_path):
        (tmp_path / "exports").mkdir()
        mistake(aclf("simulate", str(tmp_path)), f"simulate: '{tmp_path}' already holds exports", "another folder")
        assert list((tmp_path / "exports").iterdir()) == []

    def test_too_few_persons_are_refused(self, aclf, tmp_path):
        result = aclf("simulate", str(tmp_path / "bundle"), "--persons", "39")
        assert result.exit_code == 2
        assert "40" in result.output
        assert not (tmp_path / "bundle").exists()

    def test_a_bundle_is_written_and_marked(self, aclf, tmp_path):
        result = aclf("simulate", str(tmp_path / "bundle"), "--persons", "40", "--seed", "2")
        assert result.exit_code == 0
        assert re.fullmatch(r"SYNTHETIC 40 persons, [\d,]+ rows in .*\n", result.stdout)
        assert (tmp_path / "bundle" / "SIMULATED.txt").is_file()


def test_every_command_and_option_says_what_it_is_for(aclf):
    shown = aclf("--help").output
    for command in ("demo", "simulate", "refresh", "trace", "violations", "ui", "doctor"):
        assert command in shown
        helped = aclf(command, "--help").output
        described = [
            line for line in helped.splitlines() if re.search(r"--(home|study|source|exports|as-of|port|seed)\b", line)
        ]
        assert described or command == "simulate"
        assert all(len(re.sub(r"[^A-Za-z ]", "", line).split()) > 3 for line in described), helped


def test_the_readme_names_only_commands_that_are_there():
    text = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    named = set(re.findall(r"^aclf (\w+)", text, re.MULTILINE))
    assert {"doctor", "refresh", "trace", "violations"} <= named
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert named <= commands | {group.typer_instance.info.name for group in app.registered_groups}
