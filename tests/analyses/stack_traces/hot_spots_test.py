import polars as pl
import pytest

from prodintel_lib.analyses.stack_traces import find_hot_spots, group_stacks
from prodintel_lib.errors import MissingColumnsError


def java(package, function):
    return f"a.E: x\n\tat com.shop.{package}.A.{function}(A.java:1)\n\tat java.lang.Thread.run(Thread.java:8)\n"


def records_of(*rows):
    """Return records of (text, version, user, time_us, rows)."""
    columns = ["stacktrace", "service_version", "user_id", "time_us", "rows"]
    kinds = {"stacktrace": pl.String, "service_version": pl.String, "user_id": pl.String}
    return pl.DataFrame(list(rows), schema=columns, orient="row", schema_overrides=kinds).with_columns(
        pl.lit("orders").alias("service_name"), pl.lit(None, dtype=pl.String).alias("error_type")
    )


OLD, NEW = java("cart", "load"), java("tax", "price")
RECORDS = records_of(
    (OLD, "1.0", "ann", 10, 60), (OLD, "1.0", "ben", 30, 40), (OLD, "1.1", "ann", 50, 5), (NEW, "1.1", "cid", 60, 14),
    (NEW, "1.1", "cid", 70, 1), ("no trace", "1.1", None, 80, 7),
)  # fmt: skip


def test_find_hot_spots_counts_each_component_of_each_release():
    spots = find_hot_spots(RECORDS, group_stacks(RECORDS))
    assert (spots.rows, spots.traced, spots.is_of_requests) == (127, 120, False)
    columns = ("component", "service_version", "occurrences", "of", "users", "first_us", "last_us", "news", "of_before")
    assert spots.at("function").select(columns).rows() == [
        ("com.shop.cart.A.load", "1.0", 100, 100, 2, 10, 30, "first release seen", 0),
        ("com.shop.tax.A.price", "1.1", 15, 20, 1, 60, 70, "new", 100),
        ("com.shop.cart.A.load", "1.1", 5, 20, 1, 50, 50, "known", 100),
    ]
    assert spots.at("package")["component"].unique().sort().to_list() == ["com.shop.cart", "com.shop.tax"]
    assert spots.at("file")["component"].unique().to_list() == ["A.java"]
    assert spots.at("service").select("component", "service_version", "occurrences").rows() == [
        ("orders", "1.0", 100), ("orders", "1.1", 20),
    ]  # fmt: skip


def test_find_hot_spots_gives_shares_with_wilsons_interval():
    [row] = (
        find_hot_spots(RECORDS, group_stacks(RECORDS))
        .at("function")
        .filter(pl.col("occurrences") == 15)
        .rows(named=True)
    )
    assert (row["share"], round(row["low"], 4), round(row["high"], 4)) == (0.75, 0.5313, 0.8881)


@pytest.mark.parametrize(
    ("before", "now", "news"), [(100, 15, "new"), (1, 15, "too few to say"), (100, 4, "too few to say")]
)
def test_find_hot_spots_calls_new_only_what_earlier_releases_would_have_shown(before, now, news):
    records = records_of((OLD, "1.0", None, 10, before), (NEW, "1.1", None, 20, now), (OLD, "1.1", None, 20, 5))
    spots = find_hot_spots(records, group_stacks(records)).at("function")
    assert spots.filter(pl.col("component") == "com.shop.tax.A.price")["news"].to_list() == [news]


def test_find_hot_spots_of_requests_counts_releases_without_an_error():
    records = records_of((NEW, "1.1", None, 60, 15))
    exposure = pl.DataFrame(
        {
            "service_name": ["orders"] * 2,
            "service_version": ["1.0", "1.1"],
            "requests": [5000, 1000],
            "first_us": [1, 50],
        }
    )
    spots = find_hot_spots(records, group_stacks(records), exposure=exposure)
    assert spots.is_of_requests
    assert spots.at("function").select("occurrences", "of", "share", "news", "of_before").rows() == [
        (15, 1000, 0.015, "new", 5000)
    ]
    alone = find_hot_spots(records, group_stacks(records)).at("function")
    assert alone["news"].to_list() == ["first release seen"]


def test_find_hot_spots_charges_libraries_only_where_nothing_is_own():
    text = "a.E: x\n\tat java.util.List.get(List.java:1)\n"
    records = records_of((text, None, None, 1, 2), (NEW, None, None, 2, 1))
    spots = find_hot_spots(records, group_stacks(records)).at("function")
    assert spots.select("component", "is_in_app", "service_version", "users").rows() == [
        ("java.util.List.get", False, "", None), ("com.shop.tax.A.price", True, "", None),
    ]  # fmt: skip


def test_find_hot_spots_without_times_orders_releases_by_name():
    records = RECORDS.drop("time_us")
    spots = find_hot_spots(records, group_stacks(records)).at("function")
    assert spots["first_us"].null_count() == 3
    assert spots.filter(pl.col("service_version") == "1.0")["news"].to_list() == ["first release seen"]


def test_find_hot_spots_without_a_trace_is_a_sentence():
    records = records_of(("order failed", "1.0", None, 1, 3))
    spots = find_hot_spots(records, group_stacks(records))
    assert spots.frame.is_empty()
    assert "None of 3 records holds a stack trace: no hot spot is known." in spots._repr_html_()


def test_find_hot_spots_shows_denominators_and_escapes_names():
    hostile = records_of(("Error: x\n    at f (/srv/<b>.js:1:2)", "<i>", None, 5, 3))
    made = find_hot_spots(hostile, group_stacks(hostile))._repr_html_()
    assert "<b>" not in made
    assert "<i>" not in made
    assert "&lt;b&gt;.js" in made
    assert "&lt;i&gt;" in made
    assert "n 3" in made
    assert "1 of 1 functions and releases; 3 of 3 records hold a stack trace." in made


def test_find_hot_spots_names_what_it_lacks():
    groups = group_stacks(RECORDS)
    with pytest.raises(MissingColumnsError, match="Table `records of errors` needs column `service_version`"):
        find_hot_spots(RECORDS.drop("service_version"), groups)
    with pytest.raises(MissingColumnsError, match="Table `exposure` needs column `requests`"):
        find_hot_spots(RECORDS, groups, exposure=pl.DataFrame({"service_name": ["a"], "service_version": ["b"]}))


def test_find_hot_spots_of_nothing_is_nothing():
    nothing = RECORDS.clear()
    found = find_hot_spots(nothing, group_stacks(nothing))
    assert (found.frame.height, found.rows) == (0, 0)
    assert "None of 0 records holds a stack trace" in found._repr_html_()
