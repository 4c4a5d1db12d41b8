"""What several rollups say of a browser's event, as expressions that mean the same on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENT_ERROR: Final = 400
# What happens at one moment in one browser has no order of its own: the page first, then whatever tells rows apart.
TIE_BREAKERS: Final = (
    "is_not_view",
    "view_id",
    "event_kind",
    "event_name",
    "url_path",
    "route",
    "target_selector",
    "target_test_id",
    "request_path",
    "exception_message",
)


def is_view() -> nw.Expr:
    """Whether an event is a page view."""
    return nw.col("event_kind") == nw.lit("view")


def is_conversion(conversions: Sequence[str]) -> nw.Expr:
    """Whether an event is one of the site's conversions: by its name, its page's route, or its page's path."""
    named = list(conversions)
    return (
        nw.col("event_name").fill_null("").is_in(named)
        | (is_view() & nw.col("route").fill_null("").is_in(named))
        | (is_view() & nw.col("url_path").fill_null("").is_in(named))
    )


def is_validation() -> nw.Expr:
    """Whether an event is a form that did not take what the user had typed."""
    return (nw.col("event_kind") == nw.lit("error")) & (nw.col("error_source").fill_null("") == nw.lit("validation"))


def is_defect() -> nw.Expr:
    """Whether an event is an error that is not the user's own: validation of a form is left out."""
    return (nw.col("event_kind") == nw.lit("error")) & (nw.col("error_source").fill_null("") != nw.lit("validation"))


def is_failed_request() -> nw.Expr:
    """Whether an event is a request that was answered 400 or more, or that names a class of error."""
    answered_badly = (nw.col("http_response_status_code") >= CLIENT_ERROR).fill_null(value=False)
    return (nw.col("event_kind") == nw.lit("request")) & (answered_badly | ~nw.col("error_type").is_null())


def target() -> nw.Expr:
    """Return what was acted on: its test id, else its selector, else its role and name; null where none is known."""
    named = nw.concat_str(
        nw.col("target_role").fill_null(""), nw.lit(" "), nw.col("target_name"), separator="", ignore_nulls=False
    )
    return nw.coalesce(nw.col("target_test_id"), nw.col("target_selector"), named)
