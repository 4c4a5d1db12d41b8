"""A load test's plan against production: what would be sent, scored before anything is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prodintel_lib.analyses.load_fidelity.scoring import MIN_SESSIONS
from prodintel_lib.load_patterns.run_records import LoadRun, RunSettings
from prodintel_lib.load_patterns.runs import score_run
from prodintel_lib.renderers.load_tests import render_model
from prodintel_lib.renderers.templates.load_plan import Behaviour, Setting
from prodintel_lib.windows import US_PER_S

if TYPE_CHECKING:
    from prodintel_lib.analyses.load_fidelity import LoadFidelity
    from prodintel_lib.scenarios.load_model import LoadModel

MAX_REHEARSED: Final = 20_000
"""Sessions that are drawn at most; of a larger curve, so many at its rate in less time."""

_PLAN_SCHEMA: Final = {"session": pl.Int64(), "endpoint": pl.String(), "t": pl.Float64()}


def rehearse(model: LoadModel, steps: pl.DataFrame) -> LoadFidelity | None:
    """Score what a load test would send at production's rate and pace, against the part of production it follows.

    Parameters
    ----------
    model : LoadModel
    steps : polars.DataFrame
        Columns of load_steps.LOAD_STEPS_SCHEMA: production's sessions.

    Returns
    -------
    LoadFidelity or None
        None where production, or the plan, has too few sessions to be compared.

    Notes
    -----
    The plan is drawn by the code that the load test itself runs: what is missing here is what only a run shows, slow
    answers, refusals and late arrivals.
    """
    recording = steps.select(session="session_key", endpoint="endpoint", t=pl.col("time_us") / US_PER_S)
    begins_us = steps.group_by("session_key").agg(pl.col("time_us").min())["time_us"]
    if begins_us.is_between(model.curve.start_us, model.curve.end_us, closed="left").sum() < MIN_SESSIONS:
        return None
    compress = max(1.0, sum(model.curve.sessions) / MAX_REHEARSED)
    length_s = model.curve.bucket_s * len(model.curve.sessions)
    setting = Setting(1.0, compress, 1.0, 0.0, length_s, model.defaults.seed)
    planned = draw_plan(json.loads(render_model(model)), setting)
    begun = planned.group_by("session").agg(pl.col("t").min())
    if begun.height < MIN_SESSIONS:
        return None
    return score_run(LoadRun(planned, begun, settings=_settings(model, setting)), recording)


def draw_plan(model: dict[str, Any], setting: Setting) -> pl.DataFrame:
    """Draw what a run sends: ``session, endpoint, t`` in the run's seconds.

    Parameters
    ----------
    model : dict
        The JSON of a load model.
    setting : Setting

    Notes
    -----
    A session ends before an endpoint to which nothing that was recorded can be sent, as in a run.
    """
    behaviour, labels = Behaviour(model), [endpoint["label"] for endpoint in model["endpoints"]]
    rows: list[tuple[int, str, float]] = []
    for number, at_s in behaviour.planned(model["curve"], setting):
        for step in behaviour.walk(setting.seed, number):
            if step.variant is None:
                break
            at_s += step.gap_s  # noqa: PLW2901 - the session's own clock
            rows.append((number, labels[step.endpoint], at_s))
    return pl.DataFrame(rows, schema=_PLAN_SCHEMA, orient="row")


def _settings(model: LoadModel, setting: Setting) -> RunSettings:
    return RunSettings.model_validate(
        {
            "schema": "prodintel/load-run/1",
            "generator": "rehearsal",
            "scale": setting.scale,
            "compress": setting.compress,
            "multiplier": setting.multiplier,
            "start_s": setting.start_s,
            "length_s": setting.length_s,
            "curve_start_us": model.curve.start_us,
            "curve_end_us": model.curve.end_us,
            "source": model.curve.source,
        }
    )
