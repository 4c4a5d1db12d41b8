"""Production's load as a model that load generators can follow.

`choose_curve` says when sessions begin, `gather_exchanges` what they send, and `build_load_model` puts both together
with what analyses.behaviour found of how they walk. Learned from what `keep_sendable` leaves of the steps, behaviour
asks for nothing that cannot be sent.
"""

from prodintel_lib.scenarios.load_model.building import build_load_model
from prodintel_lib.scenarios.load_model.curve import choose_curve
from prodintel_lib.scenarios.load_model.exchanges import Exchange, Exchanges, gather_exchanges
from prodintel_lib.scenarios.load_model.left_out import describe_left_out
from prodintel_lib.scenarios.load_model.model import GAP_LEVELS, LoadCurve, LoadDefaults, LoadEndpoint, LoadModel
from prodintel_lib.scenarios.load_model.sendable import keep_sendable

__all__ = [
    "GAP_LEVELS",
    "Exchange",
    "Exchanges",
    "LoadCurve",
    "LoadDefaults",
    "LoadEndpoint",
    "LoadModel",
    "build_load_model",
    "choose_curve",
    "describe_left_out",
    "gather_exchanges",
    "keep_sendable",
]
