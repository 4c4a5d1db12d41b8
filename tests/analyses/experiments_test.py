import polars as pl
import pytest

from prodintel_lib.analyses.experiments import (
    LOWERS,
    NO_DIFFERENCE,
    NOT_COMPARABLE,
    RAISES,
    TOO_FEW,
    Shown,
    compare_variants,
    find_shown,
    tally_experiments,
)
from prodintel_lib.analyses.journeys.passes import Part
from prodintel_lib.analyses.telemetry import open_view
from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.windows import Window
from prodintel_lib.workspace import open_workspace

PRIVATE = Pseudonymiser(bytes(32))
DAY_US = 86_400_000_000
START = 20_000 * DAY_US


def part(*sessions):
    """Make a part of sessions: visitor, start, end, whether it converted, device."""
    names = ["visitor_id", "start_us", "end_us", "converted", "device_type"]
    frame = pl.DataFrame(sessions, schema=names, orient="row").with_columns(
        pl.lit(None, dtype=pl.String).alias("browser_name")
    )
    return Part(frame, pl.DataFrame())


def shown(*visitors, crossed=()):
    frame = pl.DataFrame(visitors, schema=["feature_flag_key", "variant", "first_us", "visitor_id"], orient="row")
    keys = frame["feature_flag_key"].unique().sort()
    return Shown(
        frame.select("feature_flag_key", "variant", "first_us", pl.col("visitor_id").hash().alias("visitor")),
        pl.DataFrame({"feature_flag_key": keys, "crossed": [dict(crossed).get(key, 0) for key in keys]}),
    )


def tally(*rows):
    names = ["feature_flag_key", "variant", "device_type", "browser_name", "visitors", "converted"]
    return pl.DataFrame(rows, schema=names, orient="row")


def compared(*rows):
    """Compare counts: experiment, variant, device, visitors, converted."""
    counts = tally(*((key, variant, device, "", n, hits) for key, variant, device, n, hits in rows))
    people = shown(*((key, variant, 0, f"{key}{variant}") for key, variant in {row[:2] for row in rows}))
    return compare_variants([counts], people, private=PRIVATE)


def test_tally_experiments_counts_visitors_by_what_they_did_from_the_exposure_on():
    of_visitors = part(
        ("before", 0, 5, True, "mobile"),
        ("before", 20, 30, False, "desktop"),
        ("during", 5, 15, True, "mobile"),
        ("twice", 10, 11, False, "mobile"),
        ("twice", 30, 31, True, "desktop"),
        ("never", 0, 9, True, "mobile"),
        ("not shown", 0, 90, True, "mobile"),
    )
    people = shown(*(("f", "a", 10, name) for name in ("before", "during", "twice", "never", "not seen")))
    found = tally_experiments(of_visitors, people).sort("device_type")
    assert found.rows() == [("f", "a", "desktop", "", 1, 0), ("f", "a", "mobile", "", 2, 2)]


def test_compare_variants_adds_up_parts_and_compares_with_the_first_variant():
    parts = [tally(("f", "a", "", "", 600, 60), ("f", "b", "", "", 500, 75)), tally(("f", "a", "", "", 400, 40),
             ("f", "b", "", "", 500, 75))]  # fmt: skip
    people = shown(("f", "a", 0, "v"), ("f", "b", 0, "w"), ("f", "b", 0, "x"), crossed=[("f", 3)])
    found = compare_variants(parts, people, private=PRIVATE)
    first, second = found.variants.to_dicts()
    assert (first["base"], first["visitors"], first["converted"], first["conversion"]) == ("a", 1000, 100, 0.1)
    assert (first["difference"], first["verdict"]) == (None, None)
    assert (second["shown"], second["visitors"], second["difference"]) == (2, 1000, pytest.approx(0.05))
    half = 1.96 * (0.1 * 0.9 / 1000 + 0.15 * 0.85 / 1000) ** 0.5
    assert second["difference_low"] == pytest.approx(0.05 - half, rel=0.01)
    assert second["difference_high"] == pytest.approx(0.05 + half, rel=0.01)
    assert second["verdict"] == RAISES
    assert found.checks.row(0, named=True) == {
        "feature_flag_key": "f", "crossed": 3, "equal_p": 1.0, "client_p": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("hits", "n", "verdict"),
    [(150, 1000, RAISES), (50, 1000, LOWERS), (120, 1000, NO_DIFFERENCE), (29, 29, TOO_FEW)],
)
def test_compare_variants_judges(hits, n, verdict):
    found = compared(("f", "a", "", 1000, 100), ("f", "b", "", n, hits))
    assert found.variants["verdict"].to_list() == [None, verdict]


def test_compare_variants_pays_for_every_comparison():
    # Two-sided p of 13.9 % against 10 % among 1,000 each: 0.007.
    alone = compared(("f", "a", "", 1000, 100), ("f", "b", "", 1000, 139))
    assert alone.variants["verdict"][1] == RAISES
    other = (("g", "a", "", 1000, 100), ("g", "b", "", 1000, 100))
    among = compared(("f", "a", "", 1000, 100), ("f", "b", "", 1000, 139), *other)
    assert among.variants["verdict"].to_list() == [None, NO_DIFFERENCE, None, NO_DIFFERENCE]
    assert among.variants["p_adjusted"][1] == pytest.approx(2 * alone.variants["p_adjusted"][1])


def test_compare_variants_believes_no_difference_where_the_shares_differ_by_client():
    found = compared(
        ("f", "a", "mobile", 1000, 50), ("f", "b", "mobile", 500, 25),
        ("f", "a", "desktop", 500, 100), ("f", "b", "desktop", 1000, 200),
    )  # fmt: skip
    assert found.variants["difference"][1] == pytest.approx(0.05)
    assert found.variants["verdict"][1] == NOT_COMPARABLE
    assert found.checks["client_p"][0] < 1e-9
    assert found.checks["equal_p"][0] == 1.0
    assert "shares differ between devices or browsers" in found._repr_html_()


def test_compare_variants_says_that_shares_are_not_equal_and_still_compares():
    found = compared(("f", "a", "", 900, 90), ("f", "b", "", 1200, 240))
    assert found.checks["equal_p"][0] < 1e-9
    assert found.variants["verdict"][1] == RAISES
    assert "shares of visitors are not equal" in found._repr_html_()


def test_compare_variants_of_a_single_variant_compares_nothing():
    found = compared(("f", "a", "mobile", 900, 90), ("f", "a", "desktop", 900, 90))
    assert found.variants["verdict"].to_list() == [None]
    assert found.checks["equal_p"].to_list() == [1.0]


def test_compare_variants_of_nothing_shown_says_so():
    nothing = Shown(
        pl.DataFrame(
            schema={"feature_flag_key": pl.String, "variant": pl.String, "first_us": pl.Int64, "visitor": pl.UInt64}
        ),
        pl.DataFrame(schema={"feature_flag_key": pl.String, "crossed": pl.Int64}),
    )
    empty = tally_experiments(part(("v", 0, 1, True, "mobile")), nothing)
    found = compare_variants([empty], nothing, private=PRIVATE)
    assert found.variants.is_empty()
    assert found._repr_html_().startswith('<p class="say">No experiment was recorded')


def test_compare_variants_escapes_and_replaces_what_came_from_production():
    found = compared(("<b>", "mail jane.doe@corp-mail.de", "", 100, 10), ("<b>", "z", "", 100, 10))
    assert "jane.doe" not in found._repr_html_()
    assert "&lt;b&gt;" in found._repr_html_()


def test_find_shown_reads_the_window_and_leaves_those_out_who_saw_both(tmp_path):
    lines = ["at,tool,flag,variant,who"]
    lines += [f"{START // 1000 + at},x,f,{variant},{who}" for at, variant, who in (
        (1, "a", "v"), (2, "a", "w"), (3, "b", "w"), (4, "b", "x"), (-10, "a", "too early"))]  # fmt: skip
    (tmp_path / "shown.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "prodintel.yaml").write_text(
        "name: t\nsources:\n  - path: shown.csv\n    table: exposures\n    columns:\n      time_us: at * 1000\n"
        "      source: tool\n      feature_flag_key: flag\n      feature_flag_result_variant: variant\n"
        "      visitor_id: who\n",
        encoding="utf-8",
    )
    workspace = open_workspace(tmp_path)
    ingest(workspace)
    found = find_shown(open_view(workspace), Window(START, START + DAY_US))
    assert found.visitors.select("variant", "first_us").sort("first_us").rows() == [
        ("a", START + 1000),
        ("b", START + 4000),
    ]
    assert found.crossed.rows() == [("f", 1)]
