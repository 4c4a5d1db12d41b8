"""Result to chart: one function a chart, aggregated before it is plotted, labelled with units, n and UTC."""

from prodintel_lib.charts.conditions import plot_blast_radius, plot_differences
from prodintel_lib.charts.course import plot_metrics, plot_outcomes, plot_spread, plot_timeline
from prodintel_lib.charts.paths import plot_paths, plot_service_map

__all__ = [
    "plot_blast_radius",
    "plot_differences",
    "plot_metrics",
    "plot_outcomes",
    "plot_paths",
    "plot_service_map",
    "plot_spread",
    "plot_timeline",
]
