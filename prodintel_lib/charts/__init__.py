"""Result to chart: one function a chart, aggregated before it is plotted, labelled with units, n and UTC."""

from prodintel_lib.charts.anomalies import plot_anomaly
from prodintel_lib.charts.anomaly_overview import plot_anomaly_timeline, plot_series_heat
from prodintel_lib.charts.conditions import plot_blast_radius, plot_differences
from prodintel_lib.charts.correlation import plot_correlations
from prodintel_lib.charts.course import plot_metrics, plot_outcomes, plot_spread, plot_timeline
from prodintel_lib.charts.error_patterns import plot_error_course, plot_error_patterns, plot_error_places
from prodintel_lib.charts.flow import plot_flow
from prodintel_lib.charts.frontend_errors import plot_error_hours, plot_error_impact
from prodintel_lib.charts.golden_signals import plot_error_ratio, plot_saturation, plot_traffic
from prodintel_lib.charts.hot_spots import plot_hot_spots
from prodintel_lib.charts.journeys import plot_funnel, plot_journeys, plot_reasons, plot_session
from prodintel_lib.charts.latency import plot_latency, plot_modes
from prodintel_lib.charts.load import plot_load_course, plot_load_mix
from prodintel_lib.charts.load_classes import plot_classes, plot_think_times
from prodintel_lib.charts.load_fidelity import plot_fidelity
from prodintel_lib.charts.load_headroom import plot_headroom
from prodintel_lib.charts.load_shape import plot_burstiness, plot_load_day, plot_load_week
from prodintel_lib.charts.load_transitions import plot_class_transitions
from prodintel_lib.charts.paths import plot_paths, plot_service_map
from prodintel_lib.charts.propagation import plot_propagation
from prodintel_lib.charts.slos import plot_budget, plot_burn
from prodintel_lib.charts.vitals import plot_vitals

__all__ = [
    "plot_anomaly",
    "plot_anomaly_timeline",
    "plot_blast_radius",
    "plot_budget",
    "plot_burn",
    "plot_burstiness",
    "plot_class_transitions",
    "plot_classes",
    "plot_correlations",
    "plot_differences",
    "plot_error_course",
    "plot_error_hours",
    "plot_error_impact",
    "plot_error_patterns",
    "plot_error_places",
    "plot_error_ratio",
    "plot_fidelity",
    "plot_flow",
    "plot_funnel",
    "plot_headroom",
    "plot_hot_spots",
    "plot_journeys",
    "plot_latency",
    "plot_load_course",
    "plot_load_day",
    "plot_load_mix",
    "plot_load_week",
    "plot_metrics",
    "plot_modes",
    "plot_outcomes",
    "plot_paths",
    "plot_propagation",
    "plot_reasons",
    "plot_saturation",
    "plot_series_heat",
    "plot_service_map",
    "plot_session",
    "plot_spread",
    "plot_think_times",
    "plot_timeline",
    "plot_traffic",
    "plot_vitals",
]
