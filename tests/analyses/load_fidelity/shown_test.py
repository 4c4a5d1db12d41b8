import polars as pl

from prodintel_lib.analyses.load_fidelity.scoring import AS_CLOSE, FURTHER, SCORES_SCHEMA, LoadFidelity

SCORES = pl.DataFrame(
    [
        ("rate_wape", 0.15, 0.1, 0.05, 0.3, AS_CLOSE),
        ("mix_js", 0.000184, 0.0, 0.0, 0.0, FURTHER),
        ("trans_tv", 0.5, 0.02, 0.01, 0.04, FURTHER),
    ],
    schema=SCORES_SCHEMA,
    orient="row",
)
FOUND = LoadFidelity(
    scores=SCORES, omission=None, original_sessions=1200, original_requests=9000, generated_sessions=1100,
    generated_requests=8000, bucket_s=60.0, scale=2.0, compress=144.0, splits=49, seed=0, part_sessions=600,
)  # fmt: skip


def test_fidelity_says_the_answer_first_and_shows_what_is_further_off_first():
    page = FOUND._repr_html_()
    assert page.startswith('<p class="lead">1 of 3 distances')
    places = [page.index(words) for words in ("Mix of endpoints, in bits", "What follows what", "Requests over time")]
    assert places == sorted(places)
    assert page.count("further off") == 2
    assert page.count("as close</span>") == 1


def test_fidelity_shows_small_distances_with_their_digits_and_how_they_are_measured():
    page = FOUND._repr_html_()
    assert "0.000184" in page
    assert "mix_js: shares of endpoints: Jensen-Shannon divergence, bits" in page
    assert '0.0200 <small class="n">0.0100 to 0.0400</small>' in page


def test_fidelity_gives_the_multiple_only_where_production_differs_from_itself():
    page = FOUND._repr_html_()
    assert ">25.0</td>" in page
    assert ">&ndash;</td>" in page


def test_fidelity_tells_what_it_rests_on():
    page = FOUND._repr_html_()
    assert "the median of 49 random cuts" in page
    assert "Buckets of 60 s; scale 2, time compressed 144 times." in page
