"""The scenario model of user interfaces: a client, the steps of one visit, and what has to hold on the way.

A scenario is one person's visit as it was recorded, told again: visits, clicks, entries and pauses in their order, with
the expectations where they belong between them. Renderers translate, they add nothing.

Strings in here come from production and are hostile until a renderer has written them as literals or table cells.
Only the fields checked by ``Slug`` may become part of an identifier or a file name.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from prodintel_lib.privacy.word_set import word_set
from prodintel_lib.scenarios.model import Evidence, Frozen, Slug

UI_SCHEMA = "prodintel/ui-scenario/1"

Path = Annotated[str, StringConstraints(pattern=r"^/")]
"""A path on the site under test: what runs it puts the site's own address before it, so it cannot name another host."""

ROLES: Final = word_set(
    "alert alertdialog application article banner blockquote button caption cell checkbox code columnheader combobox "
    "complementary contentinfo definition deletion dialog directory document emphasis feed figure form grid gridcell "
    "group heading img insertion link list listbox listitem log main marquee math meter menu menubar menuitem "
    "menuitemcheckbox menuitemradio navigation note option paragraph progressbar radio radiogroup region row rowgroup "
    "rowheader scrollbar search searchbox separator slider spinbutton status strong subscript superscript switch tab "
    "table tablist tabpanel term textbox time timer toolbar tooltip tree treegrid treeitem"
)
"""The roles of WAI-ARIA by which Playwright finds elements, but for those that say nothing."""

Metric = Literal["lcp_ms", "inp_ms", "cls_score", "fcp_ms", "ttfb_ms"]


class Target(Frozen):
    """How to find an element again: by role and accessible name, else by test id, else by a CSS selector."""

    role: str | None = None
    name: str = ""
    test_id: str = ""
    selector: str = ""

    @model_validator(mode="after")
    def _can_be_found(self) -> Target:
        if self.role is not None and self.role not in ROLES:
            raise ValueError(f"no role of WAI-ARIA: {self.role!a}")
        if not (self.name or self.test_id or self.selector):
            raise ValueError("a target needs a name, a test id, or a selector")
        return self


class Recorded(Frozen):
    """A value as it was typed or chosen: nothing personal."""

    source: Literal["recorded"] = "recorded"
    text: str


class FormValue(Frozen):
    """A value that was personal or masked: the suite's `form_values` fixture provides a valid one of that name.

    `country` is the one chosen in the same visit, where a value has to suit it.
    """

    source: Literal["form_value"] = "form_value"
    name: Slug
    country: Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$")] = ""

    @property
    def key(self) -> str:
        """What the fixture is asked for: ``postcode`` or ``postcode@GB``."""
        return f"{self.name}@{self.country}" if self.country else self.name


Value = Annotated[Recorded | FormValue, Field(discriminator="source")]


class Visit(Frozen):
    """Open a page by its address."""

    do: Literal["visit"] = "visit"
    path: Path
    query: str = ""


class Click(Frozen):
    """Click an element."""

    do: Literal["click"] = "click"
    target: Target


class Fill(Frozen):
    """Type a value into a field, in place of what is there."""

    do: Literal["fill"] = "fill"
    target: Target
    value: Value


class Choose(Frozen):
    """Choose an option of a list by its value or its label."""

    do: Literal["choose"] = "choose"
    target: Target
    value: Value


class Reside(Frozen):
    """Be of a country: where a form asks for it and has another one chosen, choose it.

    Production's page may have known it from the visitor's network, as no page does in a test.
    """

    do: Literal["reside"] = "reside"
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class Submit(Frozen):
    """Send the form a field or a form element belongs to, as Enter does."""

    do: Literal["submit"] = "submit"
    target: Target


class GoBack(Frozen):
    """Go back in the browser's history."""

    do: Literal["go_back"] = "go_back"


class Think(Frozen):
    """Let the time go by that the person took, times the suite's scale."""

    do: Literal["think"] = "think"
    seconds: Annotated[float, Field(gt=0, le=3600)]


class ExpectRoute(Frozen):
    """The page is at a route; a segment in braces stands for any value."""

    do: Literal["expect_route"] = "expect_route"
    route: Path


class ExpectVisible(Frozen):
    """An element is there to be used."""

    do: Literal["expect_visible"] = "expect_visible"
    target: Target


class Budget(Frozen):
    """What a web vital may be: over `budget`, production's p75, it is told; over `limit`, its p95, the test fails."""

    metric: Metric
    budget: Annotated[float, Field(ge=0)]
    limit: Annotated[float, Field(ge=0)]
    n: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Budget:
        if self.limit < self.budget:
            raise ValueError(f"the limit {self.limit} is under the budget {self.budget}")
        return self


class ExpectVitals(Frozen):
    """The page that is open now loaded, reacted and kept its layout within what production shows of its route."""

    do: Literal["expect_vitals"] = "expect_vitals"
    route: Path
    budgets: Annotated[tuple[Budget, ...], Field(min_length=1)]


class ExpectConversion(Frozen):
    """The visit did what the site is for: the page is at the route where the conversion `event` happened."""

    do: Literal["expect_conversion"] = "expect_conversion"
    route: Path
    event: str


class ExpectNoErrors(Frozen):
    """No uncaught exception and no console error so far, nor in the next `watch_s` seconds.

    `seen` is the message production had, where the scenario tells an error again.
    """

    do: Literal["expect_no_errors"] = "expect_no_errors"
    seen: str = ""
    watch_s: Annotated[float, Field(ge=0, le=60)] = 0.0


Step = Annotated[
    Visit
    | Click
    | Fill
    | Choose
    | Reside
    | Submit
    | GoBack
    | Think
    | ExpectRoute
    | ExpectVisible
    | ExpectVitals
    | ExpectConversion
    | ExpectNoErrors,
    Field(discriminator="do"),
]


class Client(Frozen):
    """The browser a visit is made with; what is None is left to the browser.

    `request_failure_rate` is the share of the page's own requests (fetch and XHR) that fail as on a bad network; which
    of them is drawn from `seed`, alike in every rendering.
    """

    user_agent: str | None = None
    viewport_width_px: Annotated[int, Field(ge=1, le=10_000)] | None = None
    viewport_height_px: Annotated[int, Field(ge=1, le=10_000)] | None = None
    is_mobile: bool = False
    locale: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    timezone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")] | None = None
    request_failure_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    seed: Annotated[int, Field(ge=1, le=2_147_483_646)] = 1


class UiProvenance(Frozen):
    """Where a scenario comes from: the journey or the error pattern, and the session that was told again."""

    generator: str
    finding_id: str
    input_digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12,64}$")]


class UiScenario(Frozen):
    """One visit to make again, and what it has to show.

    `id` names the test; `title` and `seen` are sentences for people.
    """

    id: Slug
    title: str
    kind: Literal["journey", "error_pattern"]
    priority: Literal["P0", "P1", "P2", "P3"]
    seen: str
    evidence: tuple[Evidence, ...] = ()
    client: Client = Client()
    steps: tuple[Step, ...]
    provenance: UiProvenance

    @property
    def writes(self) -> bool:
        """Whether it may change the site: anything but looking around may."""
        harmless = Visit | GoBack | Think | ExpectRoute | ExpectVisible | ExpectVitals | ExpectNoErrors
        return any(
            not isinstance(step, harmless) and not (isinstance(step, Click) and step.target.role == "link")
            for step in self.steps
        )

    @model_validator(mode="after")
    def _begins_and_ends(self) -> UiScenario:
        if [step.do for step in self.steps[:1]] != ["visit"]:
            raise ValueError("a scenario begins with a visit")
        if self.steps[-1].do != "expect_no_errors":
            raise ValueError("a scenario ends with the expectation of no errors")
        return self


class UiSuite(Frozen):
    """Scenarios that are rendered together."""

    schema_name: Literal["prodintel/ui-scenario/1"] = Field(default="prodintel/ui-scenario/1", alias="schema")
    title: str
    scenarios: Annotated[tuple[UiScenario, ...], Field(min_length=1)]

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="after")
    def _ids_differ(self) -> UiSuite:
        ids = [scenario.id for scenario in self.scenarios]
        if len(set(ids)) != len(ids):
            raise ValueError(f"two scenarios share an id: {ids}")
        return self
