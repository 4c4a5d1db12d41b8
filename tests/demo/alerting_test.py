from demo.incidents.model import AlertRule
from demo.recording.alerting import AlertWatch
from demo.traffic.driver import Answer


def answers(time_s: float, *, good: int, bad: int) -> list[Answer]:
    return [Answer(time_s, "GET /", 200, 0.1)] * good + [Answer(time_s, "GET /", 504, 20.0)] * bad


def watch(*, at_s: float, good: int, bad: int, acknowledge_after_s: float = 45) -> AlertWatch:
    alert = AlertWatch(acknowledge_after_s=acknowledge_after_s)
    for answer in answers(at_s, good=good, bad=bad):
        alert.add(answer)
    alert.evaluate(at_s)
    return alert


def test_evaluate_triggers_above_a_tenth() -> None:
    (event,) = watch(at_s=1_000, good=35, bad=4).events

    assert (event.kind, event.time_s, event.bad, event.answers) == ("triggered", 1_000, 4, 39)


def test_evaluate_does_not_trigger_at_a_tenth() -> None:
    assert watch(at_s=1_000, good=36, bad=4).events == []


def test_evaluate_does_not_judge_a_handful_of_answers() -> None:
    assert watch(at_s=1_000, good=9, bad=20).events == []


def test_evaluate_forgets_answers_after_thirty_seconds() -> None:
    alert = AlertWatch(acknowledge_after_s=45)
    for answer in answers(1_000, good=0, bad=40):
        alert.add(answer)

    alert.evaluate(1_031)

    assert alert.events == []


def test_evaluate_acknowledges_and_resolves_after_a_good_minute() -> None:
    alert = watch(at_s=1_000, good=0, bad=40)
    for now_s in range(1_002, 1_100, 2):
        alert.evaluate(now_s)

    # The bad answers leave the window after 1030; the first good look is at 1032.
    assert [(event.kind, event.time_s) for event in alert.events] == [
        ("triggered", 1_000),
        ("acknowledged", 1_046),
        ("resolved", 1_092),
    ]
    assert alert.is_resolved


def test_evaluate_does_not_resolve_when_it_gets_bad_again() -> None:
    alert = watch(at_s=1_000, good=0, bad=40)
    alert.evaluate(1_040)
    for answer in answers(1_090, good=0, bad=40):
        alert.add(answer)
    alert.evaluate(1_090)
    alert.evaluate(1_110)

    assert not alert.is_resolved


def test_add_says_that_failed_slow_and_abandoned_are_bad() -> None:
    alert = AlertWatch(acknowledge_after_s=45)

    assert alert.add(Answer(0, "GET /", 502, 0.1))
    assert alert.add(Answer(0, "GET /", 0, 8.0))
    assert alert.add(Answer(0, "GET /", 200, 5.1))
    assert not alert.add(Answer(0, "GET /", 404, 0.1))


def test_add_looks_only_at_the_routes_and_the_slowness_of_its_rule() -> None:
    alert = AlertWatch(acknowledge_after_s=45, rule=AlertRule("GET /a", slow_s=0.5, min_answers=2))

    assert [alert.add(Answer(0, "GET /a", 200, elapsed_s)) for elapsed_s in (0.4, 0.6)] == [False, True]
    assert not alert.add(Answer(0, "GET /b", 500, 9.0))
    alert.evaluate(1)

    assert [(event.kind, event.bad, event.answers) for event in alert.events] == [("triggered", 1, 2)]
