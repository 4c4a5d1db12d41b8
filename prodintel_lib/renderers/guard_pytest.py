"""Guards as pytest: a module of tests to read, a module of data beside it that Locust reads as well."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any, Final

from prodintel_lib.renderers.code import Block, Filling, Piece, body_of, fill, load
from prodintel_lib.renderers.literals import INDENT, is_plain
from prodintel_lib.renderers.suite_data import request_data

if TYPE_CHECKING:
    from prodintel_lib.scenarios.guards import Guard, GuardSet

Data = dict[str, Any]

_TEXT_WIDTH: Final = 110
_DECIMALS: Final = 4


def render_guard_tests(guards: GuardSet) -> tuple[str, str]:
    """Render the module of tests and the module of data.

    Parameters
    ----------
    guards : GuardSet

    Returns
    -------
    tuple of str, str
        The tests and the data, formatted.

    Raises
    ------
    RenderError, UnsafeValueError
        If a value cannot be written as a literal.
    """
    tests = tuple(
        _piece(
            "writing" if guards.writes(guard) else "reading",
            names={"test": guard.id, "guard": constant_of(guard)},
            values={"seen": told(guard)},
        )
        for guard in guards.guards
    )
    module = _piece(
        "test_module", values={"header": header(guards, "Guards")}, blocks={"tests": Block(tests, blank_lines=2)}
    )
    data = guards_data(guards)
    constants = tuple(
        _piece("constant", values={"value": each}, names={"constant": constant_of(guard)})
        for guard, each in zip(guards.guards, data["guards"], strict=True)
    )
    data_module = _piece(
        "data_module",
        values={"header": header(guards, "Data of the guards"), "requests": data["requests"]},
        lists={"guards": [constant_of(guard) for guard in guards.guards]},
        blocks={"constants": Block(constants, blank_lines=1)},
    )
    return module.module(), data_module.module()


def guards_data(guards: GuardSet) -> Data:
    """Return the guards and their requests as plain data, as every tool reads them."""
    return {
        "requests": {name: request_data(request) for name, request in guards.requests.items()},
        "guards": [guard_data(guard) for guard in guards.guards],
    }


def guard_data(guard: Guard) -> Data:
    """Return one guard as plain data; its looks are ``[n, green_at_most, red_at_least]``."""
    plan = guard.plan
    levels = {
        name: {"bad": level.bad, "n": level.n, "bound": round(level.bound, _DECIMALS)}
        for name, level in (("healthy", guard.healthy), ("anomalous", guard.anomalous))
    }
    return {
        **guard.model_dump(mode="json", include={"id", "finding_id", "kind", "route", "title", "seen"}),
        **levels,
        **guard.model_dump(mode="json", include={"limit_ms", "statuses", "whole", "at_once", "rate_per_s"}),
        "power": round(plan.power, _DECIMALS),
        "false_alarm": round(plan.false_alarm, _DECIMALS),
        "fixed_requests": plan.fixed_requests,
        "expected_requests": {"healthy": round(plan.expected_healthy, 1), "bad": round(plan.expected_bad, 1)},
        "looks": [[look.n, look.green_at_most, look.red_at_least] for look in plan.looks],
        "exchanges": [{"prepare": list(each.prepare), "request": each.request} for each in guard.exchanges],
    }


def constant_of(guard: Guard) -> str:
    """Name the constant that holds a guard's data."""
    return guard.id.upper()


def told(guard: Guard) -> str:
    """Return the docstring of a test: what is held, what was seen, and how sure the answer is."""
    plan = guard.plan
    sure = (
        f"Takes {plan.max_requests:,} requests at most, {plan.expected_healthy:,.0f} on average where it is healthy "
        f"and {plan.expected_bad:,.0f} where it is as bad as seen (one look at the end: {plan.fixed_requests:,}). "
        f"Red with {100 * plan.power:.1f} % at {100 * plan.bad:.1f} % bad requests, and with "
        f"{100 * plan.false_alarm:.2f} % at {100 * plan.healthy:.1f} %."
    )
    seen = f"Seen: {_one_line(guard.seen)}."
    whole = "\n\n".join([f"{_one_line(guard.title)}.", seen, sure])
    if not is_plain(whole):
        return whole
    wrap = textwrap.TextWrapper(_TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)
    lines = [*wrap.wrap(f"{_one_line(guard.title)}."), "", *wrap.wrap(seen), "", *wrap.wrap(sure), ""]
    return ("\n" + " " * INDENT).join(lines).replace(f"\n{' ' * INDENT}\n", "\n\n")


def header(guards: GuardSet, what: str) -> str:
    """Return the docstring of a generated module: what it is, where it comes from, how to change it."""
    findings = sorted({guard.finding_id for guard in guards.guards})
    said = f"{what} of {', '.join(findings)}: is a signal as it was when healthy, or as bad as it was seen?"
    return "\n".join([*textwrap.wrap(said, _TEXT_WIDTH), "", *origin(guards), ""])


def origin(guards: GuardSet) -> list[str]:
    """Return the lines that say where a generated file comes from: checked names and digests, nothing free."""
    return [
        f"Generated by {guards.generator} from input {guards.input_digest}.",
        "Do not edit: make the guards again from the findings.",
    ]


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip(".")


def _piece(function: str, **filling: object) -> Piece:
    return fill(body_of(load("guard_pieces.py"), function), Filling(**filling))  # type: ignore[arg-type]
