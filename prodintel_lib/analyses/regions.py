"""What a region is called: a name that means one place in the world."""

from __future__ import annotations

import polars as pl


def region_label() -> pl.Expr:
    """Return one name for ``geo_country_iso_code`` and ``geo_region_iso_code``; empty where neither is known.

    An ISO 3166-2 code says its country; a region that is only named stands behind the code of its country.

    Examples
    --------
    >>> places = {"geo_country_iso_code": ["DE", "DE", "DE", ""], "geo_region_iso_code": ["DE-BY", "Bavaria", "", ""]}
    >>> pl.DataFrame(places).select(region_label()).to_series().to_list()
    ['DE-BY', 'DE Bavaria', 'DE', '']
    """
    country, region = pl.col("geo_country_iso_code").fill_null(""), pl.col("geo_region_iso_code").fill_null("")
    is_code = region.str.starts_with(country + "-") | (region == country)
    return (
        pl.when(is_code & (region != ""))
        .then(region)
        .otherwise((country + " " + region).str.strip_chars())
        .alias("region")
    )
