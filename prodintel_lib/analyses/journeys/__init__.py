"""What users do: sessions, journeys, where they drop off and why, what they do then, and typical sessions."""

from prodintel_lib.analyses.journeys.after_drop import AfterDrop
from prodintel_lib.analyses.journeys.analysis import JourneyFindings, analyse_journeys
from prodintel_lib.analyses.journeys.counts import SessionCounts
from prodintel_lib.analyses.journeys.drop_off import DropOffs
from prodintel_lib.analyses.journeys.exemplars import Exemplars
from prodintel_lib.analyses.journeys.flow import Flow
from prodintel_lib.analyses.journeys.one_session import SessionView, read_session
from prodintel_lib.analyses.journeys.routes import learn_routes
from prodintel_lib.analyses.journeys.variants import Journeys

__all__ = [
    "AfterDrop",
    "DropOffs",
    "Exemplars",
    "Flow",
    "JourneyFindings",
    "Journeys",
    "SessionCounts",
    "SessionView",
    "analyse_journeys",
    "learn_routes",
    "read_session",
]
