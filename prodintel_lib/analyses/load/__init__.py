"""Production's load: profiles of requests, how bursty, events, quiet hours, mix, payload sizes and headroom."""

from prodintel_lib.analyses.load.analysis import measure_profiles
from prodintel_lib.analyses.load.concurrency import Concurrency, measure_concurrency
from prodintel_lib.analyses.load.events import LoadEvent, parse_event
from prodintel_lib.analyses.load.gather import LoadHistory, gather_load, gather_steps, gather_utilisation
from prodintel_lib.analyses.load.headroom import measure_headroom
from prodintel_lib.analyses.load.mix import jensen_shannon
from prodintel_lib.analyses.load.model import Headroom, LoadProfiles, Payloads
from prodintel_lib.analyses.load.payloads import measure_payloads

__all__ = [
    "Concurrency",
    "Headroom",
    "LoadEvent",
    "LoadHistory",
    "LoadProfiles",
    "Payloads",
    "gather_load",
    "gather_steps",
    "gather_utilisation",
    "jensen_shannon",
    "measure_concurrency",
    "measure_headroom",
    "measure_payloads",
    "measure_profiles",
    "parse_event",
]
