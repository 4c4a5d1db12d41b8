"""Monitors: scheduled checks of critical endpoints, learned from healthy production."""

from prodintel_lib.scenarios.monitors.building import build_monitors
from prodintel_lib.scenarios.monitors.left_out import LeftOut
from prodintel_lib.scenarios.monitors.model import Check, EndpointMonitors, Monitor, MonitorSuite

__all__ = ["Check", "EndpointMonitors", "LeftOut", "Monitor", "MonitorSuite", "build_monitors"]
