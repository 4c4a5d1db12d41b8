import pytest

from prodintel_lib.certify import Outcome
from prodintel_lib.errors import ConditionError
from prodintel_lib.minimise.bench import SearchEnded
from prodintel_lib.minimise.parts import list_expectations, without
from tests.minimise.pretended import GREEN, RED, Pretended
from tests.renderers.suites import graceful, integrity

WHOLE = graceful(2500)


def smaller():
    prepare = WHOLE.actions[0].model_copy(update={"customers": 1})
    return WHOLE.model_copy(update={"actions": (prepare, *WHOLE.actions[1:])})


def test_judge_runs_a_control_before_every_run_and_nothing_twice():
    system = Pretended(lambda _: True)
    bench = system.bench()
    verdict = bench.judge(smaller(), WHOLE)
    assert (verdict.shows, verdict.shown, verdict.runs) == (True, 4, 4)
    assert [without_conditions for _, without_conditions in system.tried] == [True, False] * 4
    assert bench.judge(smaller(), WHOLE) is verdict
    assert (bench.counts.candidates, bench.counts.runs, bench.counts.controls) == (1, 4, 4)
    bench.forget()
    bench.judge(smaller(), WHOLE)
    assert bench.counts.runs == 8


def test_forget_keeps_what_did_not_show_it():
    bench = Pretended(lambda _: False).bench()
    verdict = bench.judge(smaller(), WHOLE)
    bench.forget()
    assert bench.known(smaller()) is verdict


def test_judge_runs_nothing_that_cannot_be_run():
    system = Pretended(lambda _: True)
    bench = system.bench()
    verdict = bench.judge(without(integrity(), list_expectations(integrity())), integrity())
    assert (verdict.shows, verdict.why, system.tried) == (False, "nothing would be judged", [])


def test_judge_waits_until_the_system_has_recovered():
    """After each red run the system is ill for ten seconds, whatever is asked of it."""
    system = Pretended(lambda _: True)
    ill_until_s = 0.0

    def run(scenario, without_conditions):
        nonlocal ill_until_s
        system.now_s += 1
        if system.now_s < ill_until_s:
            return Outcome("red", "server_error", "ill")
        if without_conditions:
            return GREEN
        ill_until_s = system.now_s + 10
        return RED

    system.run = run
    bench = system.bench()
    assert bench.judge(smaller(), WHOLE).shown == 4
    assert system.now_s > 30


def test_a_system_that_does_not_recover_is_started_anew_once():
    system = Pretended(lambda _: True)
    ill = [True]
    system.fails = lambda _: ill[0]
    bench = system.bench(recovery_within_s=5)
    with pytest.raises(SearchEnded, match=r"not healthy again within 5 s \(status 422\)"):
        bench.settle(WHOLE)
    bench.restart = lambda: ill.__setitem__(0, False)
    bench.settle(WHOLE)
    assert system.tried[-1] == (WHOLE, True)


def test_without_conditions_there_is_no_control():
    bench = Pretended(lambda _: True).bench()
    bench.has_control = False
    assert bench.observe(WHOLE, 3) == (3, RED)
    assert bench.counts.controls == 0


def test_a_set_up_that_fails_is_no_reproduction():
    system = Pretended(lambda _: True)
    system.run = lambda _scenario, without: GREEN if without else Outcome("error", "setup", "set-up failed: 409")
    bench = system.bench()
    verdict = bench.judge(smaller(), WHOLE)
    assert (verdict.shows, verdict.runs, verdict.why) == (False, 1, "no reproduction: set-up failed: 409")


def test_observe_of_what_never_recovers_is_an_error_with_a_hint():
    system = Pretended(lambda _: True, fails=lambda _: True)
    with pytest.raises(ConditionError, match=r"is not green: without the conditions the system was not healthy"):
        system.bench(recovery_within_s=3).observe(WHOLE, 1)


def test_every_run_is_told():
    told = []
    bench = Pretended(lambda _: False).bench()
    bench.on_run = lambda counts: told.append((counts.candidates, counts.runs))
    bench.judge(smaller(), WHOLE)
    assert told == [(1, 1), (1, 2)]


def test_judge_ends_where_a_bound_is_reached():
    bench = Pretended(lambda _: True).bench(max_runs=2)
    with pytest.raises(SearchEnded, match=r"2 runs were taken \(--max-runs\)"):
        bench.judge(smaller(), WHOLE)
    assert bench.known(smaller()) is None
