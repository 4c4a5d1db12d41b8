import pytest

from demo.shop.breaker import BreakerOpenError, CircuitBreaker
from demo.shop.policies import BreakerPolicy


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    policy = BreakerPolicy(window_calls=4, min_calls=2, failure_share=0.5, open_s=3.0)
    return CircuitBreaker("card-processor", policy, failures=(TimeoutError,), now_s=clock)


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(TimeoutError), breaker.guard():
        raise TimeoutError


def succeed(breaker: CircuitBreaker) -> None:
    with breaker.guard():
        pass


def test_guard_opens_from_the_share_of_failures(breaker: CircuitBreaker) -> None:
    succeed(breaker)
    assert breaker.state == "closed"

    fail(breaker)

    assert breaker.state == "open"
    with pytest.raises(BreakerOpenError, match="card-processor has been failing; not asked"), breaker.guard():
        pytest.fail("the call was made")


def test_guard_judges_no_fewer_calls_than_the_policy_says(breaker: CircuitBreaker) -> None:
    fail(breaker)

    assert breaker.state == "closed"


def test_guard_forgets_calls_beyond_the_window(breaker: CircuitBreaker) -> None:
    succeed(breaker)
    succeed(breaker)
    succeed(breaker)
    fail(breaker)
    succeed(breaker)
    succeed(breaker)
    succeed(breaker)
    fail(breaker)

    assert breaker.state == "closed"


def test_guard_lets_one_call_probe_and_closes_when_it_succeeds(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    fail(breaker)
    clock.now_s += 3.0
    assert breaker.state == "half_open"

    with breaker.guard(), pytest.raises(BreakerOpenError), breaker.guard():
        pytest.fail("a second probe was let through")

    assert breaker.state == "closed"


def test_guard_stays_open_when_the_probe_fails(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    fail(breaker)
    clock.now_s += 3.0

    fail(breaker)

    assert breaker.state == "open"
    clock.now_s += 2.9
    assert breaker.state == "open"


def test_guard_takes_a_refusal_for_an_answer(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    fail(breaker)
    clock.now_s += 3.0

    with pytest.raises(KeyError, match="declined"), breaker.guard():
        raise KeyError("declined")

    assert breaker.state == "closed"


def test_guard_frees_the_probe_when_it_is_interrupted(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    fail(breaker)
    clock.now_s += 3.0

    with pytest.raises(KeyboardInterrupt), breaker.guard():
        raise KeyboardInterrupt

    assert breaker.state == "half_open"
    succeed(breaker)
    assert breaker.state == "closed"
