"""Contracts of how ill a patient is: definitions met, scores with their bounds, and what of the organs was measured.

What does not belong here: cut-offs (definitions.yaml) and formulas (science).
"""

from __future__ import annotations

from aclf_pipeline.contracts.base import Contract, column

POPULATIONS = ("candidates", "cirrhosis", "cohort")
DEFINITIONS = ("apasl", "cossh", "easl_clif", "cn_2012")
PARTS = ("liver", "kidney", "brain", "coagulation", "circulation", "respiratory", "total", "grade")


class Defined(Contract):
    """What a candidate is by the definitions, and what else a baseline value has gone through."""

    monocytes: float = column("Monocytes, 10*9/L", null=True)
    bilirubin_direct: float = column("Direct bilirubin, umol/L", null=True)
    lactate: float = column("Lactate, mmol/L", null=True)
    post_product_variables: str = column(
        "Baseline variables whose result was altered by albumin, plasma or artificial liver given before it; null for "
        "none",
        null=True,
    )
    post_exchange_variables: str = column(
        "Those of them that a session of artificial liver altered, recorded or told by the fall; null for none",
        null=True,
    )
    aclf_apasl: bool = column("ACLF by APASL; null where a missing value decides", null=True)
    aclf_cn_2012: bool = column("ACLF by the Chinese guideline of 2012; null where a missing value decides", null=True)
    aclf_cossh: bool = column("ACLF by COSSH in one line; null where a missing value decides", null=True)
    aclf_easl_clif: bool = column("ACLF by EASL-CLIF, with cirrhosis; null where a missing value decides", null=True)
    aclf_grade_low: int = column("EASL-CLIF grade in the window of the definitions, lower bound")
    aclf_grade_high: int = column("EASL-CLIF grade in the window of the definitions, upper bound")
    aclf_stage_low: int = column("Stage by the Chinese guideline, 1 early to 3 late, lower bound", null=True)
    aclf_stage_high: int = column("Stage by the Chinese guideline, 1 early to 3 late, upper bound", null=True)
    aki_stage: int = column(
        "Stage of acute kidney injury at the index admission by ICA, 0 none to 3; null where unknown", null=True
    )


class Severe(Contract):
    """Scores of liver failure and ratios at time zero that every study asks for; null where an input is missing."""

    plr: float = column("Platelets over lymphocytes", null=True)
    mlr: float = column("Monocytes over lymphocytes", null=True)
    albi_grade: float = column("ALBI grade, 1 to 3", null=True)
    child_pugh_low: float = column("Child-Pugh points with every missing item at its lowest", null=True)
    child_pugh_high: float = column("Child-Pugh points with every missing item at its highest", null=True)
    easl_clif_grade_low: float = column("EASL-CLIF grade with every missing organ counted as working", null=True)
    easl_clif_grade_high: float = column("EASL-CLIF grade with every missing organ counted as failed", null=True)
    clif_c_aclf_low: float = column("CLIF-C ACLF with every missing organ at its lowest", null=True)
    clif_c_aclf_high: float = column("CLIF-C ACLF with every missing organ at its highest", null=True)
    clif_c_ad: float = column("CLIF-C AD; only of those who surely have no ACLF by EASL-CLIF", null=True)
    clif_sofa_low: float = column("CLIF-SOFA with every missing organ at its lowest", null=True)
    clif_sofa_high: float = column("CLIF-SOFA with every missing organ at its highest", null=True)
    cossh_aclf_ii_low: float = column("COSSH-ACLF II without encephalopathy where its grade is missing", null=True)
    cossh_aclf_ii_high: float = column("COSSH-ACLF II with deep encephalopathy where its grade is missing", null=True)
    aarc_low: float = column("AARC-ACLF points with every missing item at its lowest", null=True)
    aarc_high: float = column("AARC-ACLF points with every missing item at its highest", null=True)
    fib4: float = column("FIB-4; in a flare it says nothing of fibrosis", null=True)
    apri: float = column("APRI; in a flare it says nothing of fibrosis", null=True)
    de_ritis: float = column("AST over ALT", null=True)
    direct_share: float = column("Direct over total bilirubin", null=True)


class DefinitionOverlap(Contract):
    """How far the definitions of ACLF agree: of those who meet one, how many meet another, or may."""

    population: str = column(
        "Everybody held against the criteria, those of them with cirrhosis, or the cohort", within=POPULATIONS
    )
    definition: str = column("Definition that is met", within=DEFINITIONS)
    other: str = column("Definition held beside it; itself on the diagonal", within=DEFINITIONS)
    n: int = column("Members of the population")
    met: int = column("Members who meet the definition")
    undecided: int = column("Members of whom a missing value leaves the definition open")
    both: int = column("Members who meet both")
    not_other: int = column("Members who meet the definition and not the other")
    other_undecided: int = column("Members who meet the definition and of whom the other is open")

    class Config:
        """One row per population and pair of definitions."""

        metadata = {
            "grain": "one row per population and pair of definitions",
            "key": ["population", "definition", "other"],
        }


class OrganFailures(Contract):
    """What of the organs was measured at baseline, and what the missing ones leave of score and grade."""

    population: str = column(
        "Everybody held against the criteria, those of them with cirrhosis, or the cohort", within=POPULATIONS
    )
    part: str = column("Organ of CLIF-C OF, its total, or the EASL-CLIF grade", within=PARTS)
    n: int = column("Members of the population")
    unmeasured: int = column("Members without any value of the organ; of total and grade, without any of some organ")
    bounded: int = column("Members whose subscore, total or grade is known as bounds only")
    failing: int = column("Members in whom the organ surely fails; of total and grade, in whom some organ does")
    may_fail: int = column("Members in whom it surely or possibly does")

    class Config:
        """One row per population and organ, total or grade."""

        metadata = {"grain": "one row per population and organ, total or grade", "key": ["population", "part"]}


class GradeBounds(Contract):
    """How the EASL-CLIF grades of a population lie: each pair of lower and upper bound with its members."""

    population: str = column(
        "Everybody held against the criteria, those of them with cirrhosis, or the cohort", within=POPULATIONS
    )
    grade_low: int = column("EASL-CLIF grade with every missing organ counted as working")
    grade_high: int = column("EASL-CLIF grade with every missing organ counted as failed")
    n: int = column("Members with these bounds")

    class Config:
        """One row per population and pair of bounds."""

        metadata = {
            "grain": "one row per population and pair of bounds",
            "key": ["population", "grade_low", "grade_high"],
        }


SEVERITY: dict[str, type[Contract]] = {
    "definition_overlap": DefinitionOverlap,
    "organ_failures": OrganFailures,
    "grade_bounds": GradeBounds,
}
"""The tables of the marts that say how ill a population is, the same for every study."""
