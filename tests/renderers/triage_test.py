from types import SimpleNamespace

import polars as pl
import pytest

from prodintel_lib.analyses.causes import Cause
from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.renderers.triage import (
    Signature,
    decide_category,
    decide_severity,
    find_signature,
    fingerprint,
    same_words,
)

ERROR = Signature("GET /x", "500", "shop", "ValueError", "no such thing")
LATE = Signature("GET /x", "slow (200)")


def cause(kind, subject="deployment of shop 1.2", change_id=""):
    return Cause(kind, subject, f"The {subject}", (), (), "", 0.9, change_id=change_id)


def findings(best, *, change_kind="deployment", external=False):
    edges = pl.DataFrame({"caller": ["shop"], "dependency": ["bank"], "has_own_spans": [not external]})
    return SimpleNamespace(
        causes=SimpleNamespace(ranked=(best,)),
        changes=pl.DataFrame({"change_id": ["c1"], "change_kind": [change_kind]}),
        degraded=(SimpleNamespace(subject="shop → bank"),) if external else (),
        service_map=SimpleNamespace(edges=edges),
    )


@pytest.mark.parametrize(
    ("best", "signature", "symptoms", "category"),
    [
        (cause("change"), ERROR, ("server_error",), "code"),
        (cause("change"), LATE, ("no_answer_in_time",), "performance"),
        (cause("change"), Signature("GET /x", "200"), ("wrong_state",), "business logic"),
        (cause("cannot_tell", ""), ERROR, ("server_error",), "code"),
        (cause("cannot_tell", ""), LATE, ("no_answer_in_time",), "performance"),
        (cause("dependency", "bank"), ERROR, ("server_error",), "integration"),
        (cause("traffic", "traffic"), LATE, ("no_answer_in_time",), "performance"),
        (cause("certificate", "bank"), ERROR, ("server_error",), "configuration"),
        (cause("node", "n7"), ERROR, ("server_error",), "infrastructure"),
        (cause("data", "a record"), ERROR, ("server_error",), "business logic"),
        (cause("change"), Signature("GET /x", "403"), (), "security"),
    ],
)
def test_decide_category_follows_the_cause_and_then_the_symptom(best, signature, symptoms, category):
    decided = decide_category(findings(best), signature, symptoms)
    assert decided.value == category
    assert decided.reason


@pytest.mark.parametrize("kind", ["config", "flag"])
def test_decide_category_of_a_change_of_settings_is_configuration(kind):
    decided = decide_category(findings(cause("change", change_id="c1"), change_kind=kind), ERROR, ("server_error",))
    assert decided.value == "configuration"


def test_decide_category_of_a_change_before_a_degraded_outsider_is_integration():
    decided = decide_category(findings(cause("change"), external=True), LATE, ("no_answer_in_time",))
    assert (decided.value, decided.reason) == (
        "integration", "the failing chain ends in a call of another's service: shop → bank",
    )  # fmt: skip


def hit(users, *, severity=""):
    none = Proportion.of(0, 0)
    blast = SimpleNamespace(users=users, sessions=none, requests=Proportion.of(1, 1000))
    return SimpleNamespace(blast=blast, record=SimpleNamespace(severity=severity))


@pytest.mark.parametrize(
    ("hits", "severity", "decided"),
    [
        (60, "", "critical"), (50, "", "critical"), (49, "", "high"), (10, "", "high"), (9, "", "medium"),
        (1, "", "medium"), (0, "", "low"), (0, "P1", "critical"), (60, "P4", "critical"), (0, "SEV-2", "high"),
        (0, "what", "low"),
    ],
)  # fmt: skip
def test_decide_severity_takes_the_graver_of_share_and_tool(hits, severity, decided):
    found = decide_severity(hit(Proportion.of(hits, 100), severity=severity))
    assert found.value == decided
    assert f"{hits} of 100" in found.reason
    assert severity in found.reason


def test_decide_severity_counts_requests_where_nobody_is_named():
    assert decide_severity(hit(Proportion.of(0, 0))).reason.startswith("1 of 1,000 (0.1 %")


def groups(*rows):
    names = ("route", "outcome", "origin_service", "error_type", "message", "requests")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names[:-1], pl.String) | {"requests": pl.Int64}, orient="row")
    return SimpleNamespace(signatures=SimpleNamespace(groups=frame), subject_route="GET /x")


def test_find_signature_adds_up_what_is_one_error_in_other_words():
    found = find_signature(
        groups(
            ("GET /x", "slow (200)", None, None, None, 50),
            ("GET /x", "500", "shop", "KeyError", "no key 'a' <n>", 9),
            ("GET /x", "500", "shop", "TypeError", "no len", 10),
            ("GET /x", "500", "shop", "KeyError", "no key 'b' <n>", 8),
            ("GET /y", "500", "mail", "OSError", "gone", 99),
        )
    )
    assert found == Signature("GET /x", "500", "shop", "KeyError", "no key")


def test_find_signature_without_an_error_takes_the_outcome():
    assert find_signature(groups(("GET /x", "slow (200)", None, None, None, 5))) == LATE
    assert find_signature(groups()) == Signature("GET /x")


def test_same_words_drops_what_varies():
    one, two = (f"'ascii' codec can't encode character '{c}' in position <n>" for c in ("\\xdc", "\\xe9"))
    assert same_words(one) == same_words(two) == "codec can't encode character in position"


def test_fingerprint_tells_failures_apart_and_nothing_else():
    known = fingerprint(ERROR, ("server_error", "no_answer_in_time"), cause("change"))
    assert known == fingerprint(ERROR, ("no_answer_in_time", "server_error"), cause("change"))
    assert len(known) == 16
    others = {
        fingerprint(LATE, ("server_error",), cause("change")),
        fingerprint(ERROR, ("server_error",), cause("change")),
        fingerprint(ERROR, ("server_error",), cause("dependency", "bank")),
        fingerprint(ERROR, ("server_error",), cause("change", "deployment of shop 1.3")),
    }
    assert len(others | {known}) == 5
