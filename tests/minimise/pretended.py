"""A pretended system for the search: outcomes by what a scenario holds, and a clock that only runs of it move."""

from prodintel_lib.certify import Outcome
from prodintel_lib.minimise.bench import Bench, Bounds

RED = Outcome("red", "server_error", "3 of 3 got a server error")
GREEN = Outcome("green")


class Pretended:
    """Red under the conditions where `shows(scenario)`; `fails(scenario)` is red whatever the conditions are."""

    def __init__(self, shows, *, fails=lambda _scenario: False, seconds=1.0):
        self.shows = shows
        self.fails = fails
        self.seconds = seconds
        self.now_s = 0.0
        self.tried = []

    def run(self, scenario, without_conditions):
        self.now_s += self.seconds
        self.tried.append((scenario, without_conditions))
        if self.fails(scenario):
            return Outcome("red", "unexpected_status", "status 422")
        return RED if not without_conditions and self.shows(scenario) else GREEN

    def bench(self, **bounds):
        return Bench(self.run, bounds=Bounds(**bounds), clock=lambda: self.now_s, sleep=self.sleep)

    def sleep(self, seconds):
        self.now_s += seconds
