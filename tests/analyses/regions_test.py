import polars as pl
import pytest

from prodintel_lib.analyses.regions import region_label


@pytest.mark.parametrize(
    ("country", "region", "label"),
    [
        ("DE", "DE-BY", "DE-BY"),
        ("DE", "Bavaria", "DE Bavaria"),
        ("DE", None, "DE"),
        (None, "Bavaria", "Bavaria"),
        ("DE", "DE", "DE"),
        (None, None, ""),
    ],
)
def test_region_label_means_one_place(country, region, label):
    row = pl.DataFrame(
        {"geo_country_iso_code": [country], "geo_region_iso_code": [region]},
        schema={"geo_country_iso_code": pl.String, "geo_region_iso_code": pl.String},
    )
    assert row.select(region_label())["region"].to_list() == [label]
