"""An executed notebook like the incident's: text, tiles, tables and charts, made without a kernel."""

from __future__ import annotations

import math

import altair as alt
from nbformat import v4

from prodintel_lib.chart_theme import PALETTE, enable, mark_lines, utc_tooltip, utc_x, window_shade, zoom_x
from prodintel_lib.markup import facts, number, paragraph, percent, table, tag, tone
from prodintel_lib.windows import parse_time

ONSET_US = parse_time("2025-09-29T14:23:18Z")
END_US = parse_time("2025-09-29T14:29:00Z")
STEP_US = 10_000_000


def sample_notebook():
    """Return the notebook; it holds three charts."""
    enable()
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# What happened in this incident, to whom, and why?"),
            v4.new_code_cell('incident: str = ""  # the incident to replay', metadata={"tags": ["parameters"]}),
            _cell("show_headline(replay)", html=_headline()),
            v4.new_markdown_cell(
                "## Timeline\nLook for what came before the first errors: the shaded part is the incident."
            ),
            _cell("plot_timeline(replay.timeline)", chart=_timeline()),
            _cell("replay.timeline", html=_events()),
            v4.new_markdown_cell("## Blast radius\nHow many of those active were hit, with n."),
            _cell("replay.blast_radius", html=_blast()),
            v4.new_markdown_cell("## What was different\nAgainst the hour before the onset, the largest effect first."),
            _cell("replay.differences", html=_differences()),
            _cell("plot_differences(replay.differences)", chart=_effects()),
            v4.new_markdown_cell(
                "## The failing path\nOne failing request; its bottleneck is the longest bar of its own."
            ),
            _cell("plot_trace(replay.failing)", chart=_waterfall()),
            v4.new_markdown_cell("## Probable causes\nRanked by what the data can support."),
            _cell("replay.causes", html=_causes()),
            v4.new_markdown_cell("## Data and method"),
            _cell(
                "print(replay.accounting)",
                stream="rows read 1,204,331 = kept 1,204,207 + duplicates 97 + quarantined 27\n",
            ),
        ]
    )


def chart_output(chart):
    """Return a cell's output for a chart, as the kernel would send it."""
    bundle = chart._repr_mimebundle_()
    return v4.new_output("execute_result", data=bundle[0] if isinstance(bundle, tuple) else bundle, execution_count=1)


def html_output(html):
    """Return a cell's output for HTML."""
    return v4.new_output("execute_result", data={"text/html": str(html), "text/plain": "object"}, execution_count=1)


def _cell(source, *, html=None, chart=None, stream=None):
    outputs = [html_output(html)] if html is not None else [chart_output(chart)] if chart is not None else []
    if stream:
        outputs = [v4.new_output("stream", name="stdout", text=stream)]
    return v4.new_code_cell(source, outputs=outputs, execution_count=1)


def _headline():
    lead = paragraph(
        "1,247 of 3,310 users could not pay for 5 min 42 s. The card processor hung for 45 % of calls; payment-service "
        "has no timeout, so its ten database connections were held and product pages failed too.",
        kind="lead",
    )
    tiles = [
        ("Users who could not pay", percent(0.377), "1,247 of 3,310 active", "bad"),
        ("Most likely cause", "0.86", "release 2.4.2 · cannot tell 0.05", ""),
        ("Reproduced", "3 of 3 tests", "red / green / green, 10 runs", "good"),
        ("Conditions known", "0.88", "31 observed, 6 inferred, 3 missing", ""),
    ]
    return lead + facts(tiles)


def _timeline():
    rows = []
    for index in range(180):
        time_us = ONSET_US + (index - 60) * STEP_US
        hit = ONSET_US <= time_us < END_US
        wave = 0.004 * (1 + math.sin(index / 3))
        rows.append({"time": time_us // 1000, "signal": "error ratio", "value": 0.31 + 6 * wave if hit else wave})
        rows.append(
            {"time": time_us // 1000, "signal": "share over 2 s", "value": 0.44 - 3 * wave if hit else wave / 2}
        )
    scale = alt.Scale(domain=["error ratio", "share over 2 s"], range=[PALETTE["bad"], PALETTE["accent"]])
    lines = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line()
        .encode(
            x=utc_x("time"),
            y=alt.Y("value:Q", title="share of requests", axis=alt.Axis(format="%")),
            color=alt.Color("signal:N", scale=scale),
            strokeDash=alt.StrokeDash("signal:N", legend=None),
            tooltip=[utc_tooltip("time"), "signal:N", alt.Tooltip("value:Q", format=".1%")],
        )
        .add_params(zoom_x())
    )
    events = [
        (ONSET_US - 450_000_000, "deploy 2.4.2"),
        (ONSET_US, "onset found"),
        (ONSET_US + 24_000_000, "alert"),
        (ONSET_US + 130_000_000, "acknowledged"),
        (END_US, "resolved"),
    ]
    return alt.layer(window_shade(ONSET_US, END_US), lines, mark_lines(events)).properties(
        title={"text": "Failed and slow requests of POST /api/orders", "subtitle": "per 10 s; n 4,118 in the window"},
        height=210,
    )


def _events():
    rows = [
        ["12:19:02", "Release 2.4.2 of payment-service", tag("change"), "deployments.json"],
        ["14:23:18", "Onset found in the data", tag("inferred"), "error ratio, CUSUM"],
        ["14:23:42", "Alert: checkout error ratio", tag("observed"), "PagerDuty"],
        ["14:29:00", "Resolved", tag("observed"), "PagerDuty"],
    ]
    return table(["UTC", "What", "Known", "From"], rows, caption="29 Sep 2025.")


def _blast():
    rows = [
        ["users", number(1247), number(3310), percent(0.377), "36.1 – 39.4 %"],
        ["sessions", number(1312), number(3804), percent(0.345), "33.0 – 36.0 %"],
        ["requests", number(1702), number(4118), percent(0.413), "39.8 – 42.8 %"],
    ]
    return table(["Who", "Affected", "Active", "Share", "95 % CI"], rows, align="lrrrr")


def _differences():
    rows = [
        ["card-processor, p99 of calls", "290 ms", tone("30,012 ms", "bad"), number(812), tag("observed")],
        ["payment-service, connections in use", "4.1 of 10", tone("10.0 of 10", "bad"), number(34), tag("observed")],
        ["catalogue, cache hit ratio", "91 %", tone("23 %", "warn"), number(40112), tag("observed")],
        ["concurrent checkouts", "118", tone("342", "warn"), None, tag("inferred")],
        ["traffic", "1.0×", "1.1×", number(4118), tag("observed")],
    ]
    return table(["Condition", "Baseline", "Incident", "n", "Known"], rows, align="lrrrl")


def _effects():
    rows = [
        {"condition": "card-processor p99", "effect": 0.98, "kind": "dependency"},
        {"condition": "connections in use", "effect": 0.95, "kind": "saturation"},
        {"condition": "cache hit ratio", "effect": 0.71, "kind": "saturation"},
        {"condition": "concurrent checkouts", "effect": 0.44, "kind": "load"},
        {"condition": "traffic", "effect": 0.06, "kind": "load"},
    ]
    return (
        alt.Chart(
            alt.InlineData(values=rows),
            title="Effect size of each condition (Cliff's delta, incident against baseline)",
        )
        .mark_bar(height={"band": 0.62})
        .encode(
            x=alt.X("effect:Q", title="effect size", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("condition:N", sort="-x", title=None),
            color=alt.Color("kind:N"),
            tooltip=["condition:N", "effect:Q"],
        )
    )


def _waterfall():
    spans = [
        ("gateway  POST /api/orders", 0, 30050, "waiting"),
        ("orders  create", 12, 30031, "waiting"),
        ("payment  charge", 40, 30020, "waiting"),
        ("payment  pool.acquire", 44, 1210, "own time"),
        ("card-processor  POST /charge", 1260, 30012, "bottleneck"),
    ]
    rows = [
        {"span": name, "start_ms": start, "end_ms": end, "part": part, "order": n}
        for n, (name, start, end, part) in enumerate(spans)
    ]
    colours = alt.Scale(
        domain=["waiting", "own time", "bottleneck"], range=[PALETTE["soft"], PALETTE["accent"], PALETTE["bad"]]
    )
    return (
        alt.Chart(
            alt.InlineData(values=rows),
            title="Spans of the median failing request",
            description="A waterfall of five spans.",
        )
        .mark_bar(height={"band": 0.55})
        .encode(
            x=alt.X("start_ms:Q", title="ms since the request began"),
            x2="end_ms:Q",
            y=alt.Y("span:N", sort=alt.EncodingSortField("order"), title=None, axis=alt.Axis(labelLimit=220)),
            color=alt.Color("part:N", scale=colours),
        )
    )


def _causes():
    rows = [
        [
            tone("0.86", "bad"),
            "Release 2.4.2 of payment-service",
            "only change in 2 h; own time grew in its client call",
            "2 h 04 min before the onset",
        ],
        ["0.09", "Card processor alone", "45 % of calls hung from 14:23:41", "hangs on 12 Sep caused no failure"],
        ["0.05", "Cannot tell", "three conditions missing", None],
    ]
    return table(["Score", "Cause", "For", "Against"], rows, align="rlll")
