"""Sessions, steps, journeys and the graph of pages as somebody would write them by hand for DuckDB, in one script.

It makes the same columns of sessions and steps as the library, for one conversion; its routes come ready-made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb
import polars as pl

if TYPE_CHECKING:
    from pathlib import Path

CLIENT: Final = (
    "device_type", "browser_name", "browser_version", "os_name", "geo_country_iso_code", "geo_region_iso_code",
    "service_version", "browser_language", "network_type", "utc_offset_min",
)  # fmt: skip
VITALS: Final = ("lcp_ms", "inp_ms", "cls_score", "fcp_ms", "ttfb_ms")
SCRIPT: Final = f"""
CREATE TEMP TABLE tagged AS
WITH people AS (
    SELECT visitor_id, coalesce(session_id, '') AS session, time_us, event_kind = 'view' AS is_view, view_id,
           coalesce(e.http_route, r.route, e.url_path) AS route, duration_ms, event_name = 'purchase' AS is_conversion,
           event_kind = 'action' AS is_action,
           event_kind = 'error' AND error_source IS DISTINCT FROM 'validation' AS error,
           event_kind = 'error' AND error_source = 'validation' AS validation,
           event_kind = 'request' AND (http_response_status_code >= 400 OR error_type IS NOT NULL) AS failed,
           CASE WHEN event_kind = 'action' AND action_type = 'click'
                THEN coalesce(target_test_id, target_selector, target_role || ' ' || target_name) END AS target,
           user_is_new, {", ".join(CLIENT)}, {", ".join(VITALS)}
    FROM events e LEFT JOIN routes r USING (url_path)
    WHERE user_agent_synthetic_type IS NULL
), gaps AS (
    SELECT *, time_us - lag(time_us) OVER (PARTITION BY visitor_id, session ORDER BY time_us, NOT is_view) AS waited_us
    FROM people
), cut AS (
    SELECT *, sum(CASE WHEN waited_us >= 1800000000 THEN 1 ELSE 0 END) OVER (
        PARTITION BY visitor_id, session ORDER BY time_us, NOT is_view ROWS UNBOUNDED PRECEDING) AS piece
    FROM gaps
), shown AS (
    SELECT *, last_value(CASE WHEN is_view THEN route END IGNORE NULLS) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING
        AND 1 PRECEDING) AS before, last_value(CASE WHEN is_view THEN view_id END IGNORE NULLS) OVER (
        w ROWS UNBOUNDED PRECEDING) AS latest
    FROM cut WINDOW w AS (PARTITION BY visitor_id, session, piece ORDER BY time_us, NOT is_view)
)
SELECT *, sum(CASE WHEN is_view AND before IS DISTINCT FROM route THEN 1 ELSE 0 END) OVER (
    PARTITION BY visitor_id, session, piece ORDER BY time_us, NOT is_view ROWS UNBOUNDED PRECEDING) AS by_time
FROM shown;

CREATE TEMP TABLE placed AS
WITH by_id AS (
    SELECT visitor_id, session, piece, view_id, min(by_time) AS by_id FROM tagged
    WHERE is_view AND view_id IS NOT NULL GROUP BY ALL
)
SELECT t.*, CASE WHEN is_view OR t.view_id = latest THEN by_time ELSE coalesce(by_id, by_time) END AS step_no
FROM tagged t LEFT JOIN by_id USING (visitor_id, session, piece, view_id);

CREATE TEMP TABLE steps AS
WITH clicks AS (
    SELECT *, time_us - lag(time_us, 2) OVER w AS third_us, time_us - lag(time_us, 1) OVER w AS second_us,
           lag(time_us, 1) OVER w - lag(time_us, 3) OVER w AS before_us
    FROM placed WHERE target IS NOT NULL
    WINDOW w AS (PARTITION BY visitor_id, session, piece, step_no, target ORDER BY time_us)
), rage AS (
    SELECT visitor_id, session, piece, step_no, count(*) AS rage_clicks FROM clicks
    WHERE third_us <= 1000000 AND NOT coalesce(before_us <= 1000000, false) GROUP BY ALL
), summed AS (
    SELECT visitor_id, session, piece, step_no, min(route) FILTER (is_view) AS route,
           min(time_us) FILTER (is_view) AS start_us, max(duration_ms) FILTER (is_view) AS load_ms,
           {", ".join(f"max({name}) AS {name}" for name in VITALS)},
           count(*) FILTER (error) AS errors, count(*) FILTER (validation) AS validation_errors,
           count(*) FILTER (failed) AS failed_requests, min(time_us) FILTER (error) AS error_us,
           min(time_us) FILTER (validation) AS validation_us, min(time_us) FILTER (failed) AS failed_us,
           min(time_us) FILTER (is_conversion) AS converted_us, min(device_type) AS device_type,
           max(time_us) AS end_us
    FROM placed GROUP BY ALL
)
SELECT *, lead(route) OVER w AS next_route, lead(start_us) OVER w AS next_us,
       coalesce(lag(route, 2) OVER w = route, false) AS is_return,
       max(end_us) OVER (PARTITION BY visitor_id, session, piece) AS session_end_us,
       min(converted_us) OVER (PARTITION BY visitor_id, session, piece) AS session_converted_us
FROM summed LEFT JOIN rage USING (visitor_id, session, piece, step_no)
WINDOW w AS (PARTITION BY visitor_id, session, piece ORDER BY step_no);

CREATE TEMP TABLE sessions AS
WITH summed AS (
    SELECT visitor_id, session, piece, min(time_us) AS start_us, max(time_us) AS end_us,
           count(*) FILTER (is_view) AS views, count(*) FILTER (is_action) AS actions,
           count(*) FILTER (error) AS errors,
           bool_or(is_conversion) AS converted, max(user_is_new) AS user_is_new,
           {", ".join(f"min({name}) AS {name}" for name in CLIENT)}
    FROM placed GROUP BY ALL
), walked AS (
    SELECT visitor_id, session, piece, max(step_no) AS steps,
           string_agg(route, ' > ' ORDER BY step_no) FILTER (step_no <= 12) AS path,
           arg_min(route, step_no) AS entry_route, arg_max(route, step_no) AS exit_route
    FROM steps WHERE step_no > 0 GROUP BY ALL
)
SELECT * FROM summed LEFT JOIN walked USING (visitor_id, session, piece);
"""
RESULTS: Final = {
    "totals": """SELECT count(*) AS sessions, sum(views) AS views, sum(steps) AS steps, sum(end_us - start_us) AS us,
        count(*) FILTER (converted) AS converted, (SELECT sum(next_us - start_us) FROM steps) AS dwell_us,
        (SELECT sum(errors) FROM steps WHERE step_no > 0) AS errors,
        (SELECT sum(failed_requests) FROM steps WHERE step_no > 0) AS failed_requests,
        (SELECT coalesce(sum(rage_clicks), 0) FROM steps WHERE step_no > 0) AS rage_clicks,
        (SELECT count(*) FROM steps WHERE step_no > 0 AND is_return) AS returns,
        (SELECT count(*) FROM steps WHERE step_no > 0 AND lcp_ms > 4000) AS poor_lcp,
        (SELECT sum(error_us - start_us) FROM steps WHERE step_no > 0) AS error_after_us
        FROM sessions""",
    "ends": """SELECT entry_route, exit_route, device_type, browser_name, count(*) AS sessions
        FROM sessions GROUP BY ALL ORDER BY ALL""",
    "variants": """SELECT path, steps, count(*) AS sessions, count(*) FILTER (converted) AS converted
        FROM sessions WHERE path IS NOT NULL GROUP BY ALL ORDER BY ALL""",
    "graph": """SELECT route AS from_route, next_route AS to_route, count(*) AS transitions,
        count(DISTINCT (visitor_id, session, piece)) AS sessions
        FROM steps WHERE step_no > 0 AND next_route IS NOT NULL GROUP BY ALL ORDER BY ALL""",
}


class _Stream:
    """Hands a relation over by the Arrow C stream protocol, which needs no pyarrow."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


def run(files: list[Path], routes: Path) -> dict[str, pl.DataFrame]:
    """Run the script over Parquet files and return its results."""
    connection: Any = duckdb.connect(":memory:")
    names = ", ".join(f"'{file}'" for file in files)
    connection.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet([{names}], hive_partitioning = false)")
    connection.execute(f"CREATE VIEW routes AS SELECT * FROM read_parquet('{routes}')")
    connection.execute(SCRIPT)
    return {name: pl.DataFrame(_Stream(connection.sql(query))) for name, query in RESULTS.items()}
