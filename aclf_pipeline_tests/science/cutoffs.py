"""The published cut-offs, for the tests of this room. In the package they are stated in the protocol."""

from __future__ import annotations

from aclf_pipeline.science.aclf import AclfCutoffs
from aclf_pipeline.science.organ_failure import OrganFailureCutoffs

# Gut, CLIF-C OF (highwire 210726), table 7; EASL-CLIF: World J Gastroenterol v28/i48/6922, table 1.
ORGANS = OrganFailureCutoffs(
    liver_2_mg_dl=6,
    liver_3_mg_dl=12,
    liver_operator=">=",
    kidney_dysfunction_mg_dl=1.5,
    kidney_2_mg_dl=2,
    kidney_3_mg_dl=3.5,
    brain_2_grade=1,
    brain_3_grade=3,
    coagulation_2_inr=2,
    coagulation_3_inr=2.5,
    circulation_2_map_mmhg=70,
    respiratory_2_pf=300,
    respiratory_3_pf=200,
    respiratory_2_sf=357,
    respiratory_3_sf=214,
)
ACLF = AclfCutoffs(
    apasl_bilirubin_umol_l=85,
    apasl_inr=1.5,
    apasl_pta_percent=40,
    apasl_he_grade=1,
    cossh_bilirubin_umol_l=205,
    cossh_inr=1.5,
    cn_2012_bilirubin_umol_l=171,
    cn_2012_daily_rise_umol_l=17.1,
    cn_2012_pta_percent=40,
    cn_2012_inr=None,
    easl_clif_grade=1,
)
