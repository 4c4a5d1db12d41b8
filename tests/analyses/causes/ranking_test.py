"""Planted incidents: each cause is found by what the tables show, whatever the names in them."""

import json

import numpy as np
import polars as pl
import pytest

from prodintel_lib.analyses.causes import Cause, Claim, gather_case, score_causes, weigh_causes
from prodintel_lib.analyses.signals import SIGNALS_SCHEMA, find_signal_onsets
from prodintel_lib.rollups.log_events import LOG_EVENTS_SCHEMA
from prodintel_lib.rollups.own_time import OWN_TIME_SCHEMA
from prodintel_lib.tables import CHANGES, conform
from prodintel_lib.windows import Window

MIN = 60_000_000
N, ONSET = 100, 60


def series(service, signal, kind, before, during, *, onset=ONSET, ramp=0):
    rng = np.random.default_rng(len(signal) + len(service))
    values = np.where(np.arange(N) < onset, before, during).astype(float)
    if ramp:
        values[onset : onset + ramp] = np.linspace(before, during, ramp)
    values = values + 0.02 * max(before, 0.01) * rng.normal(size=N)
    return pl.DataFrame(
        {
            "time_us": np.arange(N) * MIN,
            "service_name": service,
            "signal": signal,
            "kind": kind,
            "value": values,
            "n": 1,
        },
        schema=SIGNALS_SCHEMA,
    )


def log(service, example, *, rows=20, level="error", messages=20, shape=None, detail=None):
    return [
        {
            "bucket_us": at * MIN, "service_name": service, "level": level, "shape": shape or example, "rows": rows // 4,
            "messages": messages, "first_us": at * MIN, "example": example, "example_stacktrace": detail,
        }
        for at in range(ONSET, ONSET + 4)
    ]  # fmt: skip


def change(at_min, change_id, *, kind="deployment", service=None, diff=None, files=(), **more):
    attributes = json.dumps({"files": list(files), "diff": diff}) if diff or files else None
    return {
        "time_us": round(at_min * MIN), "source": "s", "change_id": change_id, "change_kind": kind,
        "service_name": service, "attributes": attributes, **more,
    }  # fmt: skip


def rank(*, signals=(), logs=(), changes=(), edges=(), reported=""):
    frame = pl.concat(signals) if signals else pl.DataFrame(schema=SIGNALS_SCHEMA)
    window, span = Window(ONSET * MIN, N * MIN), Window(0, N * MIN)
    onsets = find_signal_onsets(frame, window=Window((ONSET + 5) * MIN, N * MIN)).onsets if signals else None
    case = gather_case(
        window=window, span=span, bucket_s=60, signals=frame, onsets=onsets,
        changes=conform(pl.DataFrame(list(changes), schema_overrides={"attributes": pl.String}), CHANGES)
        if changes else pl.DataFrame(schema=CHANGES.schema),
        log_events=pl.DataFrame(list(logs), schema=LOG_EVENTS_SCHEMA), edges=edges, reported_service=reported,
    )  # fmt: skip
    return weigh_causes(case)


BROKEN = (
    series("pay", "error_ratio", "errors", 0.01, 0.6),
    series("shop", "error_ratio", "errors", 0.01, 0.5),
    series("cart", "error_ratio", "errors", 0.01, 0.01),
)
CALLS = {("shop", "pay"), ("shop", "cart")}


def test_weigh_causes_blames_the_commit_in_the_stack_and_no_decoy():
    nothing = "@@ web/a.css @@\n-.a { color: red }\n+.a { color: blue }"
    causes = rank(
        signals=BROKEN,
        logs=log("pay", "nil pointer dereference", detail="at services/pay/charge.go:17"),
        edges=CALLS,
        changes=[
            change(58, "guilty", kind="commit", files=["services/pay/charge.go"], commit_id="aaaaaaaa",
                   diff="-if card.issuer == nil {\n-\treturn none\n-}\n return card.issuer.name"),
            change(59, "looks", kind="commit", files=["web/a.css"], commit_id="bbbbbbbb", diff=nothing),
            change(50, "flag-1", kind="flag", service="cart"),
            change(70, "later", service="pay"),
        ],
    )  # fmt: skip
    best = causes.ranked[0]
    assert (best.kind, best.change_id) == ("change", "guilty")
    assert "services/pay/charge.go is in the stack of the errors" in [claim.says for claim in best.evidence_for]
    assert "later" not in [cause.change_id for cause in causes.ranked]
    assert causes.location.first_failing == "pay"
    assert causes.location.blast_radius == ("shop",)
    assert sum(cause.score for cause in causes.ranked) == pytest.approx(1)
    looks = next(cause for cause in causes.ranked if cause.change_id == "looks")
    assert "nothing that runs is changed by its diff" in [claim.says for claim in looks.evidence_against]


@pytest.mark.parametrize(
    ("changed", "trace"),
    [
        (
            "pay/src/pay/charge.py",
            'Traceback (most recent call last):\n  File "/app/pay/charge.py", line 17, in charge',
        ),
        ("pay/src/main/java/com/shop/Charge.java", "Caused by: X\n\tat com.shop.Charge.run(Charge.java:17)"),
        ("pay/src/card/charge.ts", "TypeError: x\n    at charge (/app/dist/card/charge.js:17:3)"),
        ("internal/card/charge.go", "goroutine 1 [running]:\nmain.charge()\n\t/build/internal/card/charge.go:17 +0x1d"),
        ("Pay/Card/Charge.cs", "   at Shop.Charge.Run() in D:\\a\\Pay\\Card\\Charge.cs:line 17"),
        ("src/Card/Charge.php", "Stack trace:\n#0 /var/www/src/Card/Charge.php(17): Charge->run()"),
    ],
)
def test_weigh_causes_matches_stacks_of_every_language_with_the_changed_files(changed, trace):
    changes = [
        change(58, "guilty", kind="commit", files=[changed], commit_id="aaaaaaaa"),
        change(58, "other", kind="commit", files=["lib/other/file.py"], commit_id="bbbbbbbb"),
    ]
    causes = rank(signals=BROKEN, logs=log("pay", "charge failed", detail=trace), edges=CALLS, changes=changes)
    claims = {cause.change_id: [claim.says for claim in cause.evidence_for] for cause in causes.ranked}
    assert f"{changed} is in the stack of the errors" in claims["guilty"]
    assert not any("stack" in says for says in claims["other"])


def test_gather_case_locates_by_the_own_time_of_operations():
    rows = [
        {"bucket_us": at * MIN, "service_name": name, "operation": "GET /", "callee": "", "spans": 50,
         "own_ms": 50.0 * ms, "own_log": 50 * np.log1p(ms), "own_log_squares": 50 * np.log1p(ms) ** 2}
        for at in range(50, 70)
        for name, ms in (("pay", 10.0 if at < ONSET else 90.0), ("shop", 10.0))
    ]  # fmt: skip
    case = gather_case(
        window=Window(ONSET * MIN, N * MIN), span=Window(0, N * MIN), bucket_s=60,
        changes=pl.DataFrame(schema=CHANGES.schema), own_time=pl.DataFrame(rows, schema=OWN_TIME_SCHEMA),
    )  # fmt: skip
    assert case.first_failing == "pay"
    assert case.location.evidence == ("100 % of the own time that was added is its own, most in GET /",)


def test_weigh_causes_goes_back_to_the_change_before_a_slow_leak():
    leak = "+var kept []row\n+func note(r row) {\n+\tkept = append(kept, r)\n+}"
    causes = rank(
        signals=[
            series("shop", "memory_rss", "memory", 200, 500, onset=15, ramp=85),
            series("shop", "error_ratio", "errors", 0.01, 0.4),
        ],
        changes=[
            change(13, "old", kind="commit", files=["services/shop/a.go"], commit_id="aaaaaaaa", diff=leak),
            change(58, "new", service="shop", service_version="9"),
        ],
    )
    assert causes.ranked[0].change_id == "old"
    newer = next(cause for cause in causes.ranked if cause.change_id == "new")
    assert any("had begun" in claim.says for claim in newer.evidence_against)


def test_weigh_causes_takes_what_changed_after_the_onset_for_no_link():
    late = series("cart", "queue_depth", "queue", 2, 90, onset=ONSET + 9)
    early = series("cart", "queue_depth", "queue", 2, 90, onset=ONSET - 1)
    for signal, linked in ((late, False), (early, True)):
        causes = rank(signals=[*BROKEN, signal], edges=CALLS, changes=[change(58, "cart-2", service="cart")])
        mine = next(cause for cause in causes.ranked if cause.change_id == "cart-2")
        assert any("queue_depth of cart changed within" in claim.says for claim in mine.evidence_for) == linked


def test_weigh_causes_sees_a_signal_go_where_the_diff_says():
    lower = "-limit = 50\n+limit = 10"
    causes = rank(
        signals=[*BROKEN, series("pay", "pool_max", "saturation", 50, 10, onset=57)],
        changes=[change(57, "guilty", kind="commit", files=["pkg/pool.go"], commit_id="aaaaaaaa", diff=lower)],
    )
    assert "pool_max of pay went from 49.9 to 10.3 as it says" in " ".join(
        claim.says for claim in causes.ranked[0].evidence_for
    )


def test_weigh_causes_finds_a_certificate_that_ran_out():
    countdown = pl.DataFrame(
        {
            "time_us": np.arange(N) * MIN, "service_name": "pay", "signal": "cert_seconds_left", "kind": "other",
            "value": (ONSET - np.arange(N)) * 60.0, "n": 1,
        },
        schema=SIGNALS_SCHEMA,
    )  # fmt: skip
    causes = rank(
        signals=[*BROKEN, countdown],
        logs=log("shop", "x509: certificate has expired or is not yet valid"),
        changes=[change(58, "innocent", service="shop")],
        edges=CALLS,
    )
    assert causes.ranked[0].kind == "certificate"
    assert "reached zero at the onset" in causes.ranked[0].evidence_for[1].says
    assert causes.ranked[0].remediation.startswith("renew it")


def test_weigh_causes_finds_the_machine_under_the_service():
    causes = rank(
        signals=[*BROKEN, series("node-7", "cpu_utilization", "cpu", 0.3, 0.98)],
        logs=log("kubelet", "Throttling container pay: CPU contended", level="warning"),
        changes=[change(30, "innocent", service="pay")],
        edges=CALLS,
    )
    assert (causes.ranked[0].kind, causes.ranked[0].subject) == ("node", "node-7")


def test_weigh_causes_finds_the_record_that_comes_back():
    said = "validation error: lat out of range, record 4711; redelivering"
    causes = rank(
        signals=BROKEN, logs=log("pay", said, messages=1, shape="validation error: lat out of range, record <n>"),
        changes=[change(40, "innocent", service="cart")], edges=CALLS,
    )  # fmt: skip
    assert causes.ranked[0].kind == "data"
    assert "the same record every time" in " ".join(claim.says for claim in causes.ranked[0].evidence_for)
    varied = rank(signals=BROKEN, logs=log("pay", said), changes=[change(58, "guilty", service="pay")], edges=CALLS)
    assert varied.ranked[0].kind == "change"


def test_weigh_causes_finds_somebody_elses_service():
    causes = rank(
        signals=BROKEN, logs=log("pay", "POST https://api.bank.example.com/v1 returned 503"),
        changes=[change(30, "innocent", service="cart")], edges=CALLS,
    )  # fmt: skip
    assert (causes.ranked[0].kind, causes.ranked[0].subject) == ("dependency", "api.bank.example.com")


def test_weigh_causes_finds_a_surge_only_where_people_come_in():
    surge = series("shop", "requests_per_sec", "traffic", 100, 400)
    assert rank(signals=[*BROKEN, surge], edges=CALLS).ranked[0].kind == "traffic"
    inner = series("pay", "requests_per_sec", "traffic", 100, 400)
    assert "traffic" not in {cause.kind for cause in rank(signals=[*BROKEN, inner], edges=CALLS).ranked}


def test_weigh_causes_abstains_where_nothing_points_anywhere():
    assert [cause.kind for cause in rank(signals=BROKEN, edges=CALLS).ranked] == ["cannot_tell"]
    far = rank(signals=BROKEN, edges=CALLS, changes=[change(1, "far", service="cart")])
    assert far.ranked[0].kind == "cannot_tell"
    assert rank().ranked[0].kind == "cannot_tell"


def test_score_causes_orders_by_weight_and_puts_cannot_tell_last_among_equals():
    def cause(kind, subject, weight):
        return Cause(kind, subject, subject, (Claim("x", weight),), (), "")

    ranked = score_causes([cause("cannot_tell", "", 1.0), cause("change", "a", 1.0), cause("change", "b", 3.0)])
    assert [one.subject for one in ranked] == ["b", "a", ""]
    assert ranked[0].score / ranked[1].score == pytest.approx(np.exp(0.8 * 2))
