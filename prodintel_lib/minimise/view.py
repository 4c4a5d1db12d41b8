"""The minimal scenario for the report, and the files of a run that hold it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.statistics import Proportion
from prodintel_lib.certify import digest_suite
from prodintel_lib.markup import Markup, Tone, figure_text, paragraph, table, text, tone
from prodintel_lib.minimise.result import (
    MINIMAL_FILE,
    MINIMAL_FOLDER,
    MINIMALS_FOLDER,
    UNIT_WORDS,
    Confirmation,
    Finding,
    MinimalScenario,
    Role,
    read_minimal,
)
from prodintel_lib.renderers import render_suite, write_files
from prodintel_lib.renderers.issue import Reproduction
from prodintel_lib.renderers.suite_data import has_conditions
from prodintel_lib.scenarios.model import Suite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prodintel_lib.renderers import RenderedFile

MAX_LINES: Final = 24
_TONES: Final[Mapping[Role, Tone]] = {
    "mattered": "bad",
    "reduced": "warn",
    "did_not_matter": "soft",
    "unclear": "soft",
    "not_tried": "soft",
    "needed": "",
}
"""In the order in which they are shown."""
_UNITS: Final = {
    "delay_ms": "delay (ms)",
    "at_once": "at the same moment",
    "set_up_request": "set-up request",
    "payload_list": "list",
    "payload_field": "payload field",
}


@dataclass(frozen=True, slots=True)
class MinimalView:
    """What is known of the smallest scenario of an incident.

    Attributes
    ----------
    incident_id : str
    minimal : MinimalScenario or None
        None where none was made of just these scenarios.
    """

    incident_id: str
    minimal: MinimalScenario | None

    @classmethod
    def of(cls, suite: Suite, workspace_root: Path) -> MinimalView:
        """Look among the workspace's for one that was made of just these scenarios."""
        kept = workspace_root / MINIMALS_FOLDER / f"{suite.incident_id}.json"
        minimal = read_minimal(kept) if kept.is_file() else None
        fits = minimal is not None and minimal.suite_digest == digest_suite(suite)
        return cls(suite.incident_id, minimal if fits else None)

    def sentence(self) -> str:
        """Say in one line what it comes to."""
        if self.minimal is None:
            return f"not minimised yet: make minimise INC={self.incident_id}"
        return self.minimal.sentence()

    def write_into(self, folder: Path) -> tuple[str, ...]:
        """Put the result and the rendered minimal test into a run's folder; without one, remove what was there.

        Returns
        -------
        tuple of str
            The files written, relative to the folder.
        """
        shutil.rmtree(folder / MINIMAL_FOLDER, ignore_errors=True)
        if self.minimal is None:
            (folder / MINIMAL_FILE).unlink(missing_ok=True)
            return ()
        files = render_minimal(self.minimal)
        write_files(files, folder / MINIMAL_FOLDER)
        (folder / MINIMAL_FILE).write_bytes(self.minimal.as_json())
        return MINIMAL_FILE, *(f"{MINIMAL_FOLDER}/{file.path}" for file in files)

    def reproduction(self) -> Reproduction | None:
        """Return it as a ticket tells it; None where there is none."""
        if self.minimal is None:
            return None
        told = [
            f"{_UNITS.get(finding.unit, finding.unit)} {finding.name}: {_told(finding)}"
            for finding in self.minimal.of_role("mattered", "reduced")
        ]
        return Reproduction(
            folder=MINIMAL_FOLDER,
            says=f"The minimal scenario, {self.minimal.sentence()}",
            needs_toxiproxy=has_conditions(self.minimal.scenario),
            mattered=tuple(told),
            is_minimal=True,
        )

    def _repr_html_(self) -> str:
        if self.minimal is None:
            return str(paragraph(f"{self.sentence().capitalize()}."))
        return str(_sizes(self.minimal) + _findings(self.minimal))


def render_minimal(minimal: MinimalScenario) -> tuple[RenderedFile, ...]:
    """Render the minimal scenario as the suite of one that it is."""
    return render_suite(
        Suite(incident_id=minimal.incident_id, title=minimal.scenario.title, scenarios=(minimal.scenario,))
    )


def _sizes(minimal: MinimalScenario) -> Markup:
    rows = [
        [text(words), text(minimal.original_sizes[unit]), text(minimal.sizes[unit])]
        for unit, words in UNIT_WORDS.items()
        if minimal.original_sizes[unit] or minimal.sizes[unit]
    ]
    rows.append([text("runs that show the symptom"), text(minimal.original_rate), text(minimal.rate)])
    how = "1-minimal in these units" if minimal.is_minimal else f"Not yet minimal: {minimal.obstacle()}"
    confirmed = "; ".join(
        f"{part.setting.replace('_', ' ')}: {part.as_wanted} of {part.runs} as wanted" for part in _told_once(minimal)
    )
    caption = (
        f"{how}. {minimal.candidates} candidates in {minimal.runs_taken} runs and {minimal.controls} controls; each "
        f"judged with {100 * minimal.confidence:g} % confidence between showing it in {100 * minimal.often:g} % and in "
        f"{100 * minimal.seldom:g} % of runs. Rendered: {confirmed or 'not run'}."
        + (f" The original's delays were scaled by {minimal.time_scale:g}." if minimal.time_scale != 1 else "")
    )
    return table([minimal.scenario.title, "Original", "Minimal"], rows, align="lrr", caption=caption)


def _told_once(minimal: MinimalScenario) -> list[Confirmation]:
    return [part for part in minimal.confirmations if "_feature.py" not in part.test]


def _findings(minimal: MinimalScenario) -> Markup:
    order = list(_TONES)
    shown = sorted(minimal.findings, key=lambda finding: order.index(finding.role))[:MAX_LINES]
    rows = [
        [
            tone(finding.role.replace("_", " "), _TONES[finding.role]),
            text(_UNITS.get(finding.unit, finding.unit)),
            figure_text(finding.name, note=_change(finding)),
            figure_text(Proportion.of(finding.shown, finding.runs), note=finding.why) if finding.runs else finding.why,
        ]
        for finding in shown
    ]
    rest = len(minimal.findings) - len(shown)
    caption = "Symptom shown: by the scenario without the part, or with less of it." + (
        f" {rest} more in {MINIMAL_FILE}." if rest else ""
    )
    return table(["", "Unit", "Part", "Symptom shown"], rows, caption=caption)


def _told(finding: Finding) -> str:
    if finding.role == "reduced":
        less = f"with less, {finding.shown} of {finding.runs} runs showed it"
        return f"{finding.before} → {finding.after} is enough ({less})"
    return f"without it, or with less of it, {finding.shown} of {finding.runs} runs showed it"


def _change(finding: Finding) -> str:
    return f"{finding.before} → {finding.after}" if finding.before != finding.after else ""
