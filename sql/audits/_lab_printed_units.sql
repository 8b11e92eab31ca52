-- Printed ranges of reference that are those of exactly one of the units their analyte accepts: in that unit the
-- highest figure of the range is near the analyte's usual upper limit, in no other. Units that differ in name only are
-- one.
-- one row per LOINC code and printed range
with spread as (
    select max(value) filter (where item = 'spread') as spread
    from rules.definitions
    where definition = 'printed_range'
),

usual as (
    select
        item as analyte,
        value as upper_usual
    from rules.definitions
    where definition = 'reference_upper'
),

ranges as (
    select distinct
        loinc,
        ref_text
    from staging.labs
    where ref_text is not null
),

printed as (
    select
        loinc,
        ref_text,
        list_max(
            list_transform(
                regexp_extract_all(ref_text, '[0-9]+[.]?[0-9]*(?:[eE][+-]?[0-9]+)?'), n -> try_cast(n as double)
            )
        ) as upper_printed
    from ranges
),

fitting as (
    select
        printed.loinc,
        printed.ref_text,
        usual.analyte,
        units.factor,
        min(units.unit) as unit
    from printed
    inner join rules.analyte_loinc as loincs on printed.loinc = loincs.loinc
    inner join usual on loincs.analyte = usual.analyte
    inner join rules.analyte_units as units on usual.analyte = units.analyte
    cross join spread
    where
        printed.upper_printed * units.factor
        between usual.upper_usual / spread.spread and usual.upper_usual * spread.spread
    group by printed.loinc, printed.ref_text, usual.analyte, units.factor
),

single as (
    select
        *,
        count(*) over (partition by loinc, ref_text) as units
    from fitting
)

select
    single.loinc,
    single.ref_text,
    single.analyte,
    single.factor,
    if(single.factor = 1, analytes.unit, single.unit) as unit
from single
inner join rules.analytes as analytes on single.analyte = analytes.analyte
where single.units = 1
