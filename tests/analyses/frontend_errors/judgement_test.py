import pytest

from prodintel_lib.analyses.frontend_errors.judgement import Facts, classify, prioritise


def facts(**known):
    usual = {
        "kind": "exception",
        "error_type": "TypeError",
        "frame": "",
        "errors": 100,
        "users": 100,
        "sessions": 100,
        "session_share_low": 0.001,
        "is_rare": False,
        "place": "",
        "difference": None,
        "low": None,
        "high": None,
        "q_value": None,
        "exposed": 100,
    }
    return Facts(**{**usual, **known})


FORM = {"kind": "validation", "error_type": ""}
SILENT = {"kind": "", "error_type": ""}


@pytest.mark.parametrize(
    ("known", "kind", "reason"),
    [
        ({}, "bug", "an uncaught TypeError; in proportion to traffic"),
        ({"frame": "total cart.js"}, "bug", "thrown in total cart.js; in proportion to traffic"),
        ({"is_rare": True}, "bug", "an uncaught TypeError; too few sessions to say whom it hits"),
        (FORM, "user mistake", "form validation, 1.0 errors a user, in proportion"),
        ({**FORM, "errors": 151}, "unclear", "form validation, but 1.5 errors a user: the same people"),
        ({**FORM, "place": "browser Safari"}, "bug", "keeps to browser Safari"),
        ({**FORM, "is_rare": True}, "unclear", "100 sessions: too few"),
        ({"kind": "network", "error_type": "503"}, "bug", "the server answered 503"),
        ({"kind": "network", "error_type": "404"}, "unclear", "a request that failed; in proportion"),
        ({"kind": "network", "error_type": "timeout", "place": "region FR"}, "bug", "keeps to region FR"),
        ({"kind": "console", "error_type": ""}, "unclear", "a line on the console"),
        (SILENT, "user mistake", "no exception, 1.0 errors a user"),
        ({**SILENT, "errors": 300}, "unclear", "of unknown source"),
        ({**SILENT, "is_rare": True}, "unclear", "of unknown source"),
    ],
)
def test_classify_says_what_it_is_and_why(known, kind, reason):
    found, said = classify(facts(**known))
    assert found == kind
    assert said.startswith(reason)


LOSS = {"difference": -0.1, "low": -0.15, "high": -0.05, "q_value": 0.01, "exposed": 400}
NO_LOSS = {"difference": -0.1, "low": -0.25, "high": 0.05}


@pytest.mark.parametrize(
    ("kind", "known", "priority", "reason"),
    [
        (
            "bug",
            LOSS,
            "high",
            "conversion of matched sessions -10.0 points (95 % CI -15.0 to -5.0), about 40 conversions",
        ),
        ("unclear", LOSS, "high", "conversion of matched sessions"),
        ("user mistake", LOSS, "medium", "not a defect, but conversion of matched sessions"),
        (
            "bug",
            NO_LOSS,
            "medium",
            "a defect; conversion of matched sessions -10.0 points (95 % CI -25.0 to +5.0): no loss",
        ),
        ("bug", {**NO_LOSS, "session_share_low": 0.02}, "high", "met by more than 1 % of the sessions on its page"),
        ("bug", {**LOSS, "is_rare": True}, "low", "rare: 100 sessions"),
        ("user mistake", NO_LOSS, "low", "conversion of matched sessions"),
        ("unclear", {}, "low", "its effect on conversion cannot be compared"),
    ],
)
def test_prioritise_says_how_soon_and_why(kind, known, priority, reason):
    found, said = prioritise(kind, facts(**known))
    assert found == priority
    assert said.startswith(reason)


def test_facts_lose_conversions_only_where_the_loss_outlives_the_correction():
    assert facts(**LOSS).lost_conversions == pytest.approx(40.0)
    assert facts(**{**LOSS, "q_value": 0.0101}).lost_conversions is None
    assert facts(**{**LOSS, "q_value": None}).lost_conversions is None
    assert facts(**{**LOSS, "difference": 0.1, "low": 0.05, "high": 0.15}).lost_conversions is None
