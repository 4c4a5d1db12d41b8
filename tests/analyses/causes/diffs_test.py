import pytest

from prodintel_lib.analyses.causes.diffs import read_diff, words_of


def diff_of(removed=(), added=(), path="pkg/a/b.go"):
    lines = [f"--- a/{path}", f"+++ b/{path}", "@@ -1 +1 @@", *(f"-{line}" for line in removed)]
    return "\n".join([*lines, *(f"+{line}" for line in added)])


def facts_of(removed=(), added=(), **more):
    return [(fact.kind, fact.says) for fact in read_diff(diff_of(removed, added, **more)).facts]


@pytest.mark.parametrize(
    ("diff", "effect"),
    [
        (diff_of(["// old words"], ["// new words"]), "nothing"),
        (diff_of([], ["assert f(1) == 2"], path="tests/a_test.py"), "nothing"),
        (diff_of([".a { color: red }"], [".a { color: blue }"], path="web/a.css"), "nothing"),
        (diff_of(["\tdo(a)", "\tdo(b)"], ["\tdo(b)", "\tdo(a)"]), "nothing"),
        (diff_of(["\tx v1.2.3"], ["\tx v1.2.4"], path="go.mod"), "patch"),
        (diff_of([], ["CREATE INDEX CONCURRENTLY i", "  ON t (a);"], path="db/1.sql"), "bookkeeping"),
        (diff_of([], ['hits = prometheus.NewCounter("hits")', "hits.Inc()"]), "bookkeeping"),
        (diff_of(["return a.b.load(key, now)"], ["value = a.b.load(key, now)", "return value"]), "same"),
        (diff_of(["plan(a)"], ["other(b, c)"]), "changes"),
        (None, "unknown"),
    ],
)
def test_read_diff_tells_what_cannot_hurt_from_what_can(diff, effect):
    assert read_diff(diff).effect == effect


def test_read_diff_without_text_believes_the_kind_of_the_files():
    assert read_diff(None, files=["docs/a.md", ".github/workflows/b.yml"]).effect == "nothing"
    assert read_diff(None, files=["docs/a.md", "src/a.py"]).effect == "unknown"


@pytest.mark.parametrize(
    ("was", "now", "values"),
    [
        ("TTL: 15 * time.Minute,", "TTL: 15 * time.Second,", (900.0, 15.0)),
        ("  ttl: 15m", "  ttl: 15s", (900.0, 15.0)),
        ("MAX_CONNECTIONS = 50", "MAX_CONNECTIONS = 10", (50.0, 10.0)),
        ("memory: 2Gi", "memory: 512Mi", (2147483648.0, 536870912.0)),
    ],
)
def test_read_diff_reads_constants_with_their_units(was, now, values):
    [fact] = read_diff(diff_of([was], [now])).facts
    assert (fact.kind, fact.was, fact.now, fact.strength) == ("constant", *values, 1.0)


def test_read_diff_takes_a_fifth_more_for_tuning_and_a_rise_for_less_than_a_fall():
    assert read_diff(diff_of(["size: 50000"], ["size: 60000"])).facts == ()
    [risen] = read_diff(diff_of(["size: 10"], ["size: 50"])).facts
    assert risen.strength == pytest.approx(0.6)


def test_read_diff_finds_a_check_that_is_no_longer_made():
    removed = ["if user.address == nil {", '\treturn ""', "}", "return user.address.city"]
    assert facts_of(removed, ["return user.address.city"]) == [
        ("check_removed", "no longer checks `user.address == nil`")
    ]
    weaker = facts_of(["if exp.plus(slack) < now:"], ["if exp < now:"], path="a.py")
    assert weaker == [("check_removed", "no longer checks `exp.plus(slack) < now`")]


def test_read_diff_sees_a_check_that_moved_into_a_function():
    assert facts_of(["if lat < -90 || lat > 90 {"], ["if err := between(lat, -90, 90); err != nil {"]) == []
    assert facts_of(["if err != nil { return nil, err }", "return x, nil"], ["return load(x)"]) == []


def test_read_diff_finds_a_call_once_per_round():
    added = ["for item in items:", "    price = self.prices.get_price(item)", "    total += price"]
    assert [kind for kind, _ in facts_of([], added, path="a.py")] == ["call_in_loop"]
    before = ["for item in items:", "    cost = self.prices.get_price(item)"]
    assert facts_of(before, added, path="a.py") == []
    assert facts_of([], ["price = self.prices.get_price(item)"], path="a.py") == []


def test_read_diff_finds_what_grows_without_a_bound():
    added = ["var seen []record", "func note(r record) {", "\tseen = append(seen, r)", "}"]
    assert [kind for kind, _ in facts_of([], added)] == ["grows"]
    assert facts_of([], [*added, "\tif len(seen) > maxSeen { seen = seen[1:] }"]) == []
    assert facts_of([], ["\tlocal = append(local, r)"]) == []


def test_read_diff_finds_what_is_not_released_and_what_lost_its_bound():
    assert [kind for kind, _ in facts_of(["\tdefer body.Close()"], ["\tread(body)"])] == ["release_removed"]
    found = facts_of(["client.get(url, timeout=5)"], ["client.get(url)"], path="a.py")
    assert found == [("constant_removed", "drops `timeout=5`")]


def test_read_diff_finds_a_switched_value_but_no_version():
    assert [kind for kind, _ in facts_of(["verify: true"], ["verify: false"], path="a.yaml")] == ["value"]
    assert facts_of(['version = "1.2.3"'], ['version = "1.3.0"']) == []


def test_read_diff_finds_a_turned_operator_a_lost_lock_and_a_dropped_index():
    assert facts_of(["if n > limit {"], ["if n >= limit {"])[0] == (
        "value",
        "turns `if n > limit {` into `if n >= limit {`",
    )
    assert [kind for kind, _ in facts_of(["\tdefer mu.Unlock()"], ["\tn++"])] == ["value"]
    assert [kind for kind, _ in facts_of([], ["DROP INDEX orders_by_user;"], path="db/2.sql")] == ["value"]


def test_read_diff_collects_files_and_words():
    reading = read_diff(
        diff_of(["a"], ["maxConns"], path="db/pool.go"), files=["db/pool.yaml"], description="Tune pools"
    )
    assert reading.files == ("db/pool.yaml", "db/pool.go")
    assert {"conn", "max", "pool", "tune", "yaml"} <= reading.words


def test_words_of_takes_identifiers_apart():
    assert words_of("resp.MaxConns, cache_hit_ratio; the class") == {
        "resp",
        "max",
        "conn",
        "cache",
        "hit",
        "ratio",
        "class",
    }
