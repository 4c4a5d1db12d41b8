import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.analyses.features import add_tallies, rank_features, tally_features
from prodintel_lib.engines import collect
from prodintel_lib.privacy.pseudonymiser import Pseudonymiser
from prodintel_lib.rollups.rum_sessions import SESSIONS_SCHEMA, build_session_events, build_sessions
from prodintel_lib.tables import RUM_EVENTS, conform
from prodintel_lib.windows import Window

PRIVATE = Pseudonymiser(bytes(32))
WINDOW = Window(0, 1000)


def tally(*visits, conversions=("purchase",)):
    """Count visits: (start_us, event or page, ...), one session each; a name with a slash is a page."""
    rows = []
    for number, (start_us, *names) in enumerate(visits):
        for place, name in enumerate(names):
            kind = "view" if name.startswith("/") else "custom" if name.islower() else "action"
            column = {"view": "url_path", "custom": "event_name", "action": "target_name"}[kind]
            who = {"visitor_id": f"v{start_us}-{number}", "user_bucket": 0}
            rows.append({"time_us": start_us + place, "event_kind": kind, column: name, **who})
    events = build_session_events(
        nw.from_native(conform(pl.DataFrame(rows, infer_schema_length=None), RUM_EVENTS).lazy()), gap_min=30
    )
    sessions = collect(build_sessions(events, conversions=conversions), schema=SESSIONS_SCHEMA, sort_by=["session_key"])
    return tally_features(events, sessions, window=WINDOW, conversions=conversions, private=PRIVATE)


def ranked(*visits, **options):
    return rank_features(tally(*visits, **options), window=WINDOW, private=PRIVATE)


def row_of(found, feature):
    return found.features.filter(pl.col("feature") == feature).row(0, named=True)


def test_rank_features_counts_uses_and_what_came_next():
    found = ranked((0, "/", "share", "share", "/b"), (1, "/", "share"), (700, "/"))
    row = row_of(found, "share")
    assert (row["kind"], row["sessions"], row["users"], row["interactions"]) == ("event", 2, 2, 3)
    assert (row["share"], row["next_steps"], row["clickthrough"], row["last_us"]) == (2 / 3, 1, 0.5, 2)
    assert row_of(found, "/b")["clickthrough"] == 0.0
    assert found.features["feature"].to_list() == ["/", "share", "/b"]


def test_rank_features_compares_the_halves_of_the_window():
    visits = [(place, "/", "share") if place % 4 == 0 else (place, "/") for place in range(200)]
    visits += [(500 + place, "/", "share") if place % 2 == 0 else (500 + place, "/") for place in range(200)]
    row = row_of(ranked(*visits), "share")
    assert (row["early"], row["late"]) == (50, 100)
    assert row["trend"] == pytest.approx(0.25)
    # statsmodels: confint_proportions_2indep(100, 200, 50, 200, method="newcomb").
    assert (row["trend_low"], row["trend_high"]) == pytest.approx((0.155920, 0.337905), abs=1e-6)


def test_rank_features_has_no_trend_without_an_early_half():
    assert row_of(ranked((600, "/")), "/")["trend"] is None


def test_rank_features_compares_conversion_with_use_before_it_only():
    visits = [(place, "/", "search", "purchase") for place in range(30)] + [(100 + p, "/", "search") for p in range(10)]
    visits += [(200 + p, "/", "purchase", "rate") for p in range(15)] + [(300 + p, "/") for p in range(45)]
    found = ranked(*visits)
    row = row_of(found, "search")
    assert (row["converted_with"], row["converted_without"]) == pytest.approx((0.75, 0.25))
    assert row["difference"] == pytest.approx(0.5)
    assert row["difference_low"] < 0.5 < row["difference_high"]
    assert [row_of(found, name)["difference"] for name in ("purchase", "rate")] == [None, None]


def test_rank_features_without_conversions_compares_none():
    found = ranked((0, "/", "search"), (1, "/"), conversions=())
    assert found.features["difference"].is_null().all()


@pytest.mark.parametrize(
    ("feature", "priority", "reason"),
    [
        ("/", "critical", "in 100 % of 80 sessions that converted"),
        ("/cart", "critical", "in 50 % of 80 sessions that converted"),
        ("coupon", "high", "in 38 % of 80 sessions that converted"),
        ("help", "high", "in 20 % of sessions"),
        ("terms", "medium", "in 8.0 % of sessions"),
        ("jobs", "low", "rare: 29 sessions"),
    ],
)
def test_rank_features_ranks_by_what_depends_on_them(feature, priority, reason):
    visits = [(p, "/", *(["/cart"] if p < 40 else []), *(["coupon"] if p < 30 else []), "purchase") for p in range(80)]
    visits += [(100 + p, "/", *(["help"] if p < 100 else []), *(["terms"] if p < 40 else [])) for p in range(391)]
    visits += [(600 + p, "/", "jobs") for p in range(29)]
    row = row_of(ranked(*visits), feature)
    assert (row["priority"], row["reason"]) == (priority, reason)


def test_tally_features_masks_what_varies_in_the_names_of_actions():
    found = ranked((0, "/", "Pay 12"), (1, "/", "Pay 13", "Pay 14"))
    row = row_of(found, "Pay <n>")
    assert (row["sessions"], row["interactions"]) == (2, 3)


def test_tally_features_adds_up():
    whole = tally((0, "/", "search", "purchase"), (1, "/"), (700, "/", "search"))
    parts = add_tallies([tally((0, "/", "search", "purchase"), (1, "/")), tally((700, "/", "search"))])
    assert (parts.sessions, parts.users, parts.early, parts.late, parts.converted) == (3, 3, 2, 1, 1)
    for name in ("uses", "strata"):
        assert getattr(parts, name).equals(getattr(whole, name).sort(pl.all())), name


def test_features_html_escapes_names_and_replaces_personal_data():
    shown = ranked((0, "/<b>", "Mail jane.doe@corp-mail.de"))._repr_html_()
    assert "/&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "jane.doe" not in shown
