import re

import pytest

from demo.rum.causes import CAUSES, planted_causes
from demo.rum.plan import Plan, choose_causes
from prodintel_lib.errors import ParameterError


def test_plan_command_names_what_makes_the_same_again():
    plan = Plan(500, 2, 9, "2025-12-01", planted_causes(without=["bot_crawl", "coupon_loop"]))
    assert plan.command == (
        "prodintel demo rum --seed 9 --sessions 500 --days 2 --start 2025-12-01"
        " --without coupon_loop --without bot_crawl"
    )


def test_plan_starts_at_midnight_utc():
    assert Plan(1, 1).start_us == 1_762_128_000_000_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sessions": 0, "days": 1}, "`sessions` is from 1 to 50,000,000; it is 0."),
        ({"sessions": 1, "days": 367}, "`days` is from 1 to 366; it is 367."),
        ({"sessions": 1, "days": 1, "seed": -1}, "`seed` is 0 or more; it is -1."),
        ({"sessions": 1, "days": 1, "start": "monday"}, "`start` is a day; it is `monday`."),
        ({"sessions": 1, "days": 1, "causes": ("coupon_lop",)}, "did you mean `coupon_loop`?"),
    ],
)
def test_plan_refuses_what_it_cannot_make(arguments, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        Plan(**arguments)


def test_planted_causes_refuses_an_unknown_one():
    with pytest.raises(ParameterError, match="Unknown cause `slow_checkout`"):
        planted_causes(without=["slow_checkout"])


def test_choose_causes_is_the_same_for_the_same_seed_and_varies_over_seeds():
    chosen = [choose_causes(seed) for seed in range(20)]
    assert chosen == [choose_causes(seed) for seed in range(20)]
    assert len(set(chosen)) > 15
    assert set().union(*chosen) == set(CAUSES)
    assert not set(CAUSES).intersection(*chosen)
