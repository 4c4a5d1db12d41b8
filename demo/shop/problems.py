"""Errors as the shop's clients see them: JSON problems (RFC 9457) with a status that says what to do next."""

from __future__ import annotations

import logging
from typing import Final

from flask import Flask, Response, jsonify
from opentelemetry import trace
from werkzeug.exceptions import HTTPException, MethodNotAllowed

logger = logging.getLogger(__name__)

RETRY_AFTER_S: Final = 2


class ProblemError(Exception):
    """An answer that is not the one asked for.

    Parameters
    ----------
    status : int
        The HTTP status.
    title : str
        The kind of problem, the same for every occurrence.
    detail : str, optional
        This occurrence.
    """

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.status = status
        self.title = title
        self.detail = detail

    def to_response(self) -> Response:
        """Write it as ``application/problem+json``; 503 says when to try again."""
        body: dict[str, str | int] = {"type": "about:blank", "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        response = jsonify(body)
        response.status_code = self.status
        response.mimetype = "application/problem+json"
        if self.status == 503:
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response


def register_problems(app: Flask) -> None:
    """Answer every error of `app` with a problem."""

    @app.errorhandler(ProblemError)
    def answer_problem(problem: ProblemError) -> Response:
        if problem.status >= 500:
            # Flask regards a handled error as no error, so the span has to be told.
            trace.get_current_span().record_exception(problem)
            logger.error("%s", problem)
        return problem.to_response()

    @app.errorhandler(HTTPException)
    def answer_http_exception(error: HTTPException) -> Response:
        # For an unexpected exception Flask passes its InternalServerError here, and the exception itself both to
        # the log and to the span.
        response = ProblemError(error.code or 500, error.name, _detail(error)).to_response()
        # A 405 has to name the methods that there are (RFC 9110, section 15.5.6).
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response


def _detail(error: HTTPException) -> str:
    cause = getattr(error, "original_exception", None)
    return f"{type(cause).__name__}: {cause}" if cause is not None else ""
