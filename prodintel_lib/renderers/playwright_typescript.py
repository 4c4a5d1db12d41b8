"""A scenario of the user interface as a Playwright test in TypeScript.

The text is made of fixed words and of literals: JSON in plain ASCII, in which nothing can end a comment or a script. At
the end the literals are taken out again, and what is left has to be made of the words that renderings are made of.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import RenderError, UnsafeValueError
from prodintel_lib.privacy.word_set import word_set
from prodintel_lib.renderers.ui_calls import calls_of, client_data, origin, sentences
from prodintel_lib.scenarios.ui_model import FormValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodintel_lib.renderers.ui_calls import Argument, Call, Way
    from prodintel_lib.scenarios.ui_model import UiScenario

LINE_LENGTH: Final = 120
_INDENT: Final = "  "
_LOCATORS: Final = {
    "role": "page.getByRole",
    "test_id": "page.getByTestId",
    "selector": "page.locator",
    "label": "page.getByLabel",
}
_METHODS: Final = {
    "visit": "visit",
    "click": "click",
    "fill": "fill",
    "choose": "choose",
    "reside": "reside",
    "submit": "submit",
    "go_back": "goBack",
    "think": "think",
    "expect_route": "expectRoute",
    "expect_visible": "expectVisible",
    "expect_vitals": "expectVitals",
    "expect_conversion": "expectConversion",
    "expect_no_errors": "expectNoErrors",
}
_FIRST: Final = frozenset({"path", "country", "seconds", "route", "limits", "value"})
_STRING: Final = re.compile(r'"(?:[^"\\\n]|\\["\\/bfnrtu!*])*"')
# Names of what a client or a web vital has are keys; every other word is one of these.
_WORDS: Final = word_set(
    "import from test use client tag annotation type description async await visitor page formValues exact true false "
    "name query event seen watch_s user_agent viewport_width_px viewport_height_px is_mobile locale timezone "
    "request_failure_rate seed lcp_ms inp_ms cls_score fcp_ms ttfb_ms"
) | {part for method in (*_LOCATORS.values(), *_METHODS.values()) for part in method.split(".")}
_WORD: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def render_typescript(scenario: UiScenario) -> str:
    """Render a scenario as a spec file with one test for `@playwright/test`.

    Parameters
    ----------
    scenario : UiScenario

    Returns
    -------
    str
        The spec; it imports `./ui_visitor`.

    Raises
    ------
    RenderError, UnsafeValueError
        If a value cannot be written as a literal.
    """
    calls = calls_of(scenario.steps)
    title, seen = sentences(scenario)
    header = [f"// {line}" for line in origin([scenario])]
    description = f"{_INDENT * 2}description: {literal(f'{title}. {seen}')},"
    options = [f'annotation: {{\n{_INDENT * 2}type: "production",\n{description}\n{_INDENT}}}']
    if scenario.writes:
        options.insert(0, 'tag: "@writes"')
    client = client_data(scenario.client)
    lines = ['import { test } from "./ui_visitor";', ""]
    if client:
        entries = [f"{_INDENT * 2}{name}: {literal(value)}," for name, value in client.items()]
        lines += ["test.use({", f"{_INDENT}client: {{", *entries, f"{_INDENT}}},", "});", ""]
    lines.append(f"test({literal(scenario.id)}, {{")
    lines += [f"{_INDENT}{option}," for option in options]
    lines.append(f"}}, async ({{ {_fixtures(calls)} }}) => {{")
    lines += [f"{_INDENT}{line}" for call in calls for line in _statement(call).splitlines()]
    lines.append("});")
    code = "\n".join(lines) + "\n"
    _check(code)
    return "\n".join([*header, code])


def literal(value: str | float) -> str:
    r"""Write a text or a number as a literal of JavaScript.

    Raises
    ------
    UnsafeValueError
        If a number is not finite, or the value is of another type.

    Examples
    --------
    >>> literal("</script> */ ${x}\u2028")
    '"<\\/script> *\\/ ${x}\\u2028"'
    """
    if type(value) is float and not math.isfinite(value):
        raise UnsafeValueError(f"A literal needs a finite number; got {value}.", hint="check where the figure is made.")
    if type(value) not in {str, int, float, bool}:
        raise UnsafeValueError(
            f"Only texts and numbers become literals; got {type(value).__name__}.", hint="check where it is made."
        )
    text = json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")
    # What would end a script, a comment or begin one that HTML knows, wherever the text may be put one day.
    return text.replace("</", "<\\/").replace("*/", "*\\/").replace("<!--", "<\\!--")


def _fixtures(calls: Sequence[Call]) -> str:
    used = ["page"] if any(call.ways for call in calls) else []
    if any(isinstance(value, FormValue) for call in calls for _, value in call.arguments):
        used.append("formValues")
    return ", ".join([*used, "visitor"])


def _statement(call: Call) -> str:
    first = [_argument(value) for name, value in call.arguments if name in _FIRST]
    named = [f"{name}: {_argument(value)}" for name, value in call.arguments if name not in _FIRST]
    options = [f"{{ {', '.join(named)} }}"] if named else []
    arguments = [*first, *map(_located, call.ways), *options]
    return _laid_out(f"await visitor.{_METHODS[call.method]}", arguments, indent=len(_INDENT)) + ";"


def _located(way: Way) -> str:
    options = {"role": f", {{ name: {literal(way.name)}, exact: true }}", "label": ", { exact: true }"}
    return f"{_LOCATORS[way.by]}({literal(way.text)}{options.get(way.by, '')})"


def _argument(value: Argument) -> str:
    if isinstance(value, FormValue):
        return f"formValues({literal(value.key)})"
    if isinstance(value, dict):
        entries = ", ".join(f"{name}: [{', '.join(map(literal, pair))}]" for name, pair in value.items())
        return f"{{ {entries} }}"
    return literal(value)


def _laid_out(head: str, arguments: Sequence[str], *, indent: int = 0) -> str:
    line = f"{head}({', '.join(arguments)})"
    if indent + len(line) < LINE_LENGTH or len(arguments) == 1:
        return line
    return "\n".join([f"{head}(", *(f"{_INDENT}{argument}," for argument in arguments), ")"])


def _check(code: str) -> None:
    """See that the code is made of known words, figures and signs once its strings are taken out."""
    bare = _STRING.sub("", code)
    strange = set(_WORD.findall(bare)) - _WORDS
    rest = re.sub(r"[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", "", _WORD.sub("", bare))
    signs = set(rest) - set("(){}[]:;,.=>- \n")
    if strange or signs or not code.isascii():
        found = ", ".join(sorted(strange | signs)) or "text beyond ASCII"
        raise RenderError(
            f"Generated code may hold its own words and literals; it also holds {found[:200]!a}.",
            hint="this is a defect of a renderer; please report it.",
        )
