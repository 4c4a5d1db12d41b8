"""The application: its settings, its headers, its scripts, and what it answers when something is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, render_template, request, send_from_directory
from werkzeug.exceptions import HTTPException

from demo.shop.assortment import CATEGORIES
from demo.shop.problems import ProblemError
from demo.storefront import visitor
from demo.storefront.api import serve_api
from demo.storefront.baskets import Baskets
from demo.storefront.beacons import Beacons
from demo.storefront.pages import serve_pages

if TYPE_CHECKING:
    from flask import Response
    from flask.typing import ResponseReturnValue

    from demo.storefront.builds import Build

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
LARGEST_FORM_BYTES: Final = 100_000
_SCRIPT_AGE_S: Final = 3_600


def create_site(build: Build, *, telemetry: Path | None) -> Flask:
    """Build the front end.

    Parameters
    ----------
    build : Build
    telemetry : Path or None
        File that beacons are appended to; None drops them.
    """
    app = Flask("demo.storefront", root_path=str(Path(__file__).resolve().parent), static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_FORM_BYTES
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = _SCRIPT_AGE_S
    # Flask escapes by itself only what ends in .html.
    app.jinja_options = {**app.jinja_options, "autoescape": True}
    app.jinja_env.filters["money"] = as_money
    visitor.remember_visitors(app, Baskets())
    _describe(app, build)
    _protect(app)
    _answer_problems(app)
    _serve_files(app, build, Beacons(telemetry))
    serve_pages(app)
    serve_api(app)
    return app


def as_money(cents: int) -> str:
    """Write an amount of cents as customers read it."""
    return f"€{cents / 100:,.2f}"


def _describe(app: Flask, build: Build) -> None:
    @app.context_processor
    def about() -> dict[str, Any]:
        return {
            "version": build.version,
            "categories": CATEGORIES,
            "basket": visitor.basket(),
            "customer": visitor.customer(),
            "country": visitor.country(),
        }


def _protect(app: Flask) -> None:
    @app.after_request
    def set_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        if request.endpoint not in {"static", "build_script"}:
            response.headers["Cache-Control"] = "no-store"
        return response


def _answer_problems(app: Flask) -> None:
    @app.errorhandler(ProblemError)
    def answer_problem(problem: ProblemError) -> ResponseReturnValue:
        if request.path.startswith(("/api/", "/telemetry")):
            return problem.to_response()
        return render_template("problem.html.j2", problem=problem), problem.status

    @app.errorhandler(HTTPException)
    def answer_http_exception(error: HTTPException) -> ResponseReturnValue:
        return answer_problem(ProblemError(error.code or 500, error.name))


def _serve_files(app: Flask, build: Build, beacons: Beacons) -> None:
    @app.get("/build/<path:name>")
    def build_script(name: str) -> ResponseReturnValue:
        return send_from_directory(build.scripts, name)

    @app.post("/telemetry")
    def receive_beacon() -> ResponseReturnValue:
        beacons.receive(request.get_data())
        return "", 204

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok", "service": "shop-web", "version": build.version}

    @app.get("/favicon.ico")
    def favicon() -> ResponseReturnValue:
        return "", 204
