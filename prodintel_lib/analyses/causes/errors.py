"""What services said when it went wrong: messages that are new, and what their words point at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from prodintel_lib.analyses.causes.stacks import read_frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.windows import Window

MAX_TEXTS: Final = 200
TIMES_MORE_OFTEN: Final = 3.0
MIN_REPEATS: Final = 5
_TROUBLE: Final = (
    r"(?:time[sd]? ?out|unavailable|fail|refused|reset|error|unreachable|exceeded|returned [45]|5[0-9][0-9]|"
    r"no (?:\w+ )?(?:instances?|endpoints?|hosts?|upstreams?)\b)"
)
# The words of statuses 502 and 504 (RFC 9110, section 15.6) name no service that is called so.
_REASON_PHRASE: Final = re.compile(r"\bbad gateway\b|\bgateway time-?out\b", re.IGNORECASE)
# A host counts where somebody calls it; a link to an explanation (`see https://...`) is no dependency.
_HOST: Final = re.compile(
    r"\b(?:GET|POST|PUT|PATCH|DELETE|HEAD|to|from|host|upstream|peer|address|calling|connect\w*|dial\w*|lookup|resolv\w*)"
    r"\W{1,4}(?:https?://)?((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})\b"
)


@dataclass(frozen=True, slots=True)
class ErrorText:
    """A message of one shape from one service that was new, or far more frequent, in the incident.

    Attributes
    ----------
    service : str
        Who said it; empty where unknown.
    level : str
        ``error`` or ``warning``.
    shape, example : str
        With what varies masked, and one as it was.
    detail : str
        Its class of error and attributes, as text.
    rows : int
        How often in the window.
    messages : int
        How many different texts of the shape a bucket held at most.
    first_us : int
    stack : str
        Its stack trace. It holds lines of source code, which say nothing of hosts or conditions: only `files` reads it.
    """

    service: str
    level: str
    shape: str
    example: str
    detail: str
    rows: int
    messages: int
    first_us: int
    stack: str = ""

    @property
    def whole(self) -> str:
        """Everything it says, its stack trace aside."""
        return f"{self.example}\n{self.detail}"

    @property
    def repeats_itself(self) -> bool:
        """Whether values that should vary came again and again the same."""
        return self.rows >= MIN_REPEATS and self.messages == 1 and "<" in self.shape

    @property
    def files(self) -> tuple[str, ...]:
        """Source files that its stack trace or text names, in the order they are printed."""
        return tuple(dict.fromkeys(frame.path for frame in read_frames(f"{self.whole}\n{self.stack}")))

    @property
    def hosts(self) -> frozenset[str]:
        """Host names that it says were called."""
        return frozenset(_HOST.findall(self.whole))


def read_error_texts(
    log_events: pl.DataFrame | None, error_spans: pl.DataFrame | None, *, window: Window, span: Window
) -> tuple[ErrorText, ...]:
    """Read the messages that were new, or at least three times as frequent, in the window.

    Parameters
    ----------
    log_events : polars.DataFrame, optional
        rollups.log_events.
    error_spans : polars.DataFrame, optional
        Spans with an error: ``time_us, service_name, error_type, exception_message, status_message``, and
        ``exception_stacktrace`` where it was read.
    window, span : Window
        The incident, and all that was read.

    Returns
    -------
    tuple of ErrorText
        Errors before warnings, most frequent first; at most 200.
    """
    texts = [
        *(_of_logs(log_events, window, span) if log_events is not None else []),
        *(_of_spans(error_spans, window, span) if error_spans is not None else []),
    ]
    texts.sort(key=lambda text: (text.level != "error", -text.rows, text.service, text.shape))
    return tuple(texts[:MAX_TEXTS])


def _of_logs(events: pl.DataFrame, window: Window, span: Window) -> Iterable[ErrorText]:
    bad = events.filter(pl.col("level") != "info")
    inside = pl.col("first_us").is_between(window.start_us, window.end_us, closed="left")
    groups = bad.group_by("service_name", "level", "shape").agg(
        pl.col("rows").filter(inside).sum().alias("rows"),
        pl.col("rows").filter(pl.col("first_us") < window.start_us).sum().alias("rows_before"),
        pl.col("messages").filter(inside).max().alias("messages"),
        pl.col("example").filter(inside).n_unique().alias("examples"),
        pl.col("example").filter(inside).min(),
        pl.col("example_stacktrace").filter(inside).min().alias("stack"),
        pl.col("example_error_type").filter(inside).min().alias("error_type"),
        pl.col("example_attributes").filter(inside).min().alias("attributes"),
        pl.col("first_us").filter(inside).min(),
    )
    for row in groups.filter(pl.col("rows") > 0).iter_rows(named=True):
        if _is_new(row["rows"], row["rows_before"], window, span):
            detail = "\n".join(part for part in (row["error_type"], row["attributes"]) if part)
            yield ErrorText(
                row["service_name"], row["level"], row["shape"], row["example"] or "", detail, row["rows"],
                max(row["messages"], row["examples"]), row["first_us"], row["stack"] or "",
            )  # fmt: skip


def _of_spans(spans: pl.DataFrame, window: Window, span: Window) -> Iterable[ErrorText]:
    stack = pl.col("exception_stacktrace") if "exception_stacktrace" in spans.columns else pl.lit(None, pl.String)
    said = spans.with_columns(
        stack.alias("stack"),
        pl.coalesce("exception_message", "status_message").fill_null("").alias("example"),
        pl.col("service_name").fill_null(""),
        pl.col("error_type").fill_null(""),
    ).with_columns(pl.col("example").str.replace_all(r"[0-9]+(?:\.[0-9]+)?", "<n>").str.slice(0, 200).alias("shape"))
    inside = pl.col("time_us").is_between(window.start_us, window.end_us, closed="left")
    groups = said.group_by("service_name", "error_type", "shape").agg(
        inside.sum().alias("rows"),
        (pl.col("time_us") < window.start_us).sum().alias("rows_before"),
        pl.col("example").filter(inside).n_unique().alias("messages"),
        pl.col("example").filter(inside).min(),
        pl.col("stack").filter(inside).min(),
        pl.col("time_us").filter(inside).min().alias("first_us"),
    )
    for row in groups.filter(pl.col("rows") > 0).iter_rows(named=True):
        if _is_new(row["rows"], row["rows_before"], window, span):
            yield ErrorText(
                row["service_name"], "error", row["shape"], row["example"], row["error_type"], row["rows"],
                max(row["messages"], 2), row["first_us"], row["stack"] or "",
            )  # fmt: skip


def _is_new(rows: int, rows_before: int, window: Window, span: Window) -> bool:
    before_s = max((window.start_us - span.start_us) / 1e6, 1.0)
    return rows / window.duration_s >= TIMES_MORE_OFTEN * rows_before / before_s


def find_mentions(texts: Iterable[ErrorText], services: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Find who blames whom: pairs of a service and another that its new messages name next to trouble.

    Names are compared without case and punctuation, so that `cart-service` is found in `cartService`.
    """
    patterns = {name: _name_pattern(name) for name in services if len(name) >= 3}
    found = set()
    for text in texts:
        for name, pattern in patterns.items():
            if name != text.service and pattern.search(_REASON_PHRASE.sub("failed", text.example)):
                found.add((text.service, name))
    return frozenset(found)


def _name_pattern(name: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in re.split(r"[^A-Za-z0-9]+", name) if part]
    called = r"[\W_]?".join(parts)
    near = r"[^\n]{0,80}?"
    return re.compile(rf"\b{called}\b{near}{_TROUBLE}|{_TROUBLE}{near}\b{called}\b", re.IGNORECASE)
