import sys
from pathlib import Path

import polars as pl
import pytest

from prodintel_lib.analyses.frontend_errors import ANY_DEFECT, ANYWHERE, add_tallies, assess_errors, tally_errors
from prodintel_lib.errors import ParameterError
from prodintel_lib.privacy.pseudonymiser import Pseudonymiser

sys.path.insert(0, str(Path(__file__).parent))
from planted import CONVERSIONS, sessionise, site_events

PRIVATE = Pseudonymiser(bytes(32))


def tally_of(events, *, conversions=CONVERSIONS):
    lazy, sessions = sessionise(events, conversions=conversions)
    return tally_errors(lazy, sessions, conversions=conversions, private=PRIVATE)


@pytest.fixture(scope="module")
def events():
    return site_events(3000, seed=4)


@pytest.fixture(scope="module")
def found(events):
    return assess_errors(tally_of(events), private=PRIVATE)


def row_of(found, message):
    return found.patterns.filter(pl.col("message").str.starts_with(message)).row(0, named=True)


def test_assess_errors_judges_each_planted_error(found):
    assert dict(found.patterns.select("message", "class").iter_rows()) == {
        "undefined is not an object (evaluating p.price)": "bug",
        "GET /api/cart/<n> failed": "bug",
        "chunk <n> gone": "unclear",
        "Not an e-mail address": "user mistake",
    }


def test_assess_errors_counts_errors_users_and_sessions(found):
    row = row_of(found, "undefined")
    assert (row["errors"], row["users"], row["errors_per_user"]) == (2 * row["sessions"], row["sessions"], 2.0)
    assert (row["page"], row["priority"]) == ("/cart", "high")
    assert row["share"] == row["sessions"] / row["visits"]


def test_assess_errors_names_the_place_an_error_keeps_to(found):
    assert row_of(found, "undefined")["place"].startswith("browser Safari: met by ")
    assert row_of(found, "GET")["place"].startswith("country FR: met by ")
    assert [row_of(found, name)["place"] for name in ("chunk", "Not an")] == [None, None]


def test_assess_errors_measures_what_an_error_costs_among_sessions_of_its_browser(found):
    row = row_of(found, "undefined")
    assert row["difference_low"] < -0.5 < row["difference_high"]
    assert row["matched_on"] == "page, number of the view, device, region, browser, new or returning"
    assert row["lost_conversions"] == pytest.approx(-row["difference"] * row["sessions"])
    harmless = row_of(found, "Not an")
    assert harmless["difference_low"] < 0 < harmless["difference_high"]
    assert harmless["lost_conversions"] is None


def test_assess_errors_finds_the_local_hours_of_an_error(found):
    assert row_of(found, "GET")["time_of_day"] == "19 to 22 h: at no other hour"
    assert row_of(found, "undefined")["time_of_day"] == "as the traffic"
    hours = found.hours.filter(pl.col("pattern_id") == row_of(found, "GET")["pattern_id"])
    assert hours.filter(pl.col("hits") > 0).select("hour_local", "region").unique().sort("hour_local").rows() == [
        (19, "FR"),
        (20, "FR"),
        (21, "FR"),
    ]


def test_assess_errors_counts_a_session_once_for_any_defect(found, events):
    met = events.filter((pl.col("event_kind") == "error") & (pl.col("error_source") != "validation"))
    anywhere = found.hours.filter(pl.col("pattern_id") == ANY_DEFECT)
    assert anywhere["errors"].sum() == met.height
    assert anywhere["hits"].sum() == met["session_id"].n_unique()
    assert anywhere["sessions"].sum() == 3000


def test_assess_errors_gives_the_same_from_parts_and_from_the_whole(found, events):
    parts = [events.filter(pl.col("user_bucket") % 3 == place) for place in range(3)]
    again = assess_errors(add_tallies([tally_of(part) for part in parts]), private=PRIVATE)
    for name in ("patterns", "parts", "pages", "hours"):
        assert getattr(again, name).equals(getattr(found, name)), name


def test_assess_errors_does_not_rank_what_is_rare(events):
    found = assess_errors(tally_of(events), private=PRIVATE, min_sessions=70)
    rare = found.patterns.filter(pl.col("is_rare"))
    assert rare["message"].to_list() == ["chunk <n> gone"]
    assert found.patterns["message"][-1] == "chunk <n> gone"
    assert not found.parts.filter(pl.col("pattern_id") == rare["pattern_id"][0])["is_raised"].any()
    assert rare["priority_reason"][0].startswith("rare: ")


def test_assess_errors_without_conversions_measures_no_impact(events):
    found = assess_errors(tally_of(events.head(2000), conversions=()), private=PRIVATE)
    assert found.patterns["difference"].is_null().all()
    assert "no impact is measured" in found._repr_html_()


def test_assess_errors_compares_with_other_browsers_where_a_whole_browser_met_it(events):
    carts = events.filter((pl.col("event_kind") == "view") & (pl.col("url_path") == "/cart"))
    on_safari = carts.filter(pl.col("browser_name") == "Safari").with_columns(
        pl.lit("error").alias("event_kind"), pl.lit("all of them").alias("exception_message")
    )
    on_safari = pl.concat([events, on_safari])
    row = row_of(assess_errors(tally_of(on_safari), private=PRIVATE), "all of them")
    assert row["matched_on"] == "page, number of the view, device, region, new or returning"
    assert row["matched_without"] > 0


def test_assess_errors_charges_no_error_with_a_conversion_that_came_before_it(events):
    later = events.filter(pl.col("event_name") == "purchase").with_columns(
        pl.lit("error").alias("event_kind"),
        pl.lit(None, dtype=pl.String).alias("event_name"),
        pl.lit("too late").alias("exception_message"),
        pl.col("time_us") + 1,
    )
    row = row_of(assess_errors(tally_of(pl.concat([events, later])), private=PRIVATE), "too late")
    assert row["sessions"] == later.height
    assert (row["difference"], row["lost_conversions"]) == (None, None)


def test_assess_errors_takes_an_error_all_over_the_site_for_one(events):
    everywhere = events.filter(pl.col("event_kind") == "view").with_columns(
        pl.lit("error").alias("event_kind"), pl.lit("boom").alias("exception_message")
    )
    found = assess_errors(tally_of(pl.concat([events, everywhere])), private=PRIVATE)
    row = row_of(found, "boom")
    assert (row["page"], row["visits"], row["sessions"]) == (ANYWHERE, 3000, 3000)


def test_assess_errors_of_no_error_says_so(events):
    found = assess_errors(tally_of(events.filter(pl.col("event_kind") != "error")), private=PRIVATE)
    assert found.patterns.is_empty()
    assert found._repr_html_() == '<p class="say">No error was recorded in the browsers of 3,000 sessions.</p>'


def test_assess_errors_replaces_personal_data(events):
    personal = events.with_columns(
        pl.when(pl.col("event_kind") == "error")
        .then(pl.lit("account of jane.doe@corp-mail.de is locked"))
        .alias("exception_message"),
        (pl.lit("/user/jane.doe@corp-mail.de") + pl.col("url_path")).alias("url_path"),
    )
    found = assess_errors(tally_of(personal), private=PRIVATE)
    shown = found._repr_html_() + found.patterns.write_csv() + found.pages.write_csv() + found.parts.write_csv()
    assert "jane.doe" not in shown
    assert "account of &lt;email&gt; is locked" in shown


def test_front_end_errors_html_escapes_what_came_from_production(events):
    hostile = events.with_columns(pl.col("exception_message").str.replace("chunk", "<script>"))
    shown = assess_errors(tally_of(hostile), private=PRIVATE)._repr_html_()
    assert "&lt;script&gt; &lt;n&gt; gone" in shown
    assert "<script>" not in shown


def test_pattern_of_an_unknown_id_names_the_known_ones(found):
    with pytest.raises(ParameterError, match="Unknown error pattern `FE-0`; known: FE-"):
        found.pattern("FE-0")
