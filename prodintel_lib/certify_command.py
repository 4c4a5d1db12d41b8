"""`prodintel certify`: run a replay's tests repeatedly against one or two systems, and keep the certificate."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import ValidationError

from prodintel_lib.certify import Effort, SystemUnderTest, certify, certify_against
from prodintel_lib.certify.alterations import KINDS, WORDS
from prodintel_lib.certify.certificate import AGAINST_FILE, CERTIFICATE_FILE, CERTIFICATES_FOLDER, Certificate
from prodintel_lib.certify.outcomes import SETTINGS
from prodintel_lib.certify.proof import digest_suite
from prodintel_lib.certify.verification import Verification
from prodintel_lib.errors import NoDataError, ParameterError, ProdintelError
from prodintel_lib.notebooks.run_folder import RUN_FILE, list_files_anew, locked, workspace_of
from prodintel_lib.prove_command import running_demo
from prodintel_lib.scenarios.model import Suite
from prodintel_lib.terminal import ending_on_sigterm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prodintel_lib.terminal import Terminal

LOCK_WAIT_S: Final = 60.0
_TESTS_LINE: Final = re.compile(r"^Tests \(.*\):$", re.MULTILINE)


def certify_run(
    run_dir: Path,
    *,
    faulty: SystemUnderTest,
    fixed: SystemUnderTest,
    effort: Effort,
    terminal: Terminal,
) -> Certificate:
    """Certify the tests of a run against two systems, and put the certificate into the run and its workspace.

    Parameters
    ----------
    run_dir : Path
        A folder that `prodintel replay` has written.
    faulty, fixed : SystemUnderTest
    effort : Effort
    terminal : Terminal

    Raises
    ------
    ParameterError
        If the folder is no run, or a system does not answer.
    NoDataError
        If the run was replaced meanwhile.
    RenderError
        If pytest cannot run the suite at all.
    """
    suite = read_suite(run_dir)
    with _copied(run_dir / "tests") as tests, ending_on_sigterm():
        certificate = certify(
            tests,
            suite,
            faulty=faulty,
            fixed=fixed,
            now_us=time.time_ns() // 1_000,
            effort=effort,
            progress=terminal.step,
        )
    _keep(certificate, run_dir, suite, terminal)
    return certificate


def certify_run_against(run_dir: Path, *, system: SystemUnderTest, effort: Effort, terminal: Terminal) -> Certificate:
    """Find out how the one system there is fares with the tests of a run, and put that into the run.

    The tests stay unverified: one system cannot show that they tell a faulty from a fixed one. The parameters and
    errors are those of `certify_run`.
    """
    suite = read_suite(run_dir)
    with _copied(run_dir / "tests") as tests, ending_on_sigterm():
        certificate = certify_against(
            tests, suite, system=system, now_us=time.time_ns() // 1_000, effort=effort, progress=terminal.step
        )
    _keep(certificate, run_dir, suite, terminal)
    return certificate


def certify_run_on_demo(run_dir: Path, *, repository: Path, effort: Effort, terminal: Terminal) -> Certificate:
    """Start both builds of the demo for a run's incident, and certify its tests against them.

    Raises
    ------
    ConditionError
        If a build does not become ready; otherwise as `certify_run`.
    """
    incident_id = read_suite(run_dir).incident_id
    with ending_on_sigterm(), ExitStack() as stack:
        terminal.say(f"{incident_id}: starting both builds")
        systems = {
            build: stack.enter_context(running_demo(incident_id, build, repository=repository))
            for build in ("faulty", "fixed")
        }
        faulty, fixed = (
            SystemUnderTest(system.base_url, system.toxiproxy_url, f"the demo's {build} build")
            for build, system in systems.items()
        )
        return certify_run(run_dir, faulty=faulty, fixed=fixed, effort=effort, terminal=terminal)


@dataclass(frozen=True, slots=True)
class BankLine:
    """One run of several: its certificate, or why there is none."""

    name: str
    certificate: Certificate | None
    problem: str = ""


def certify_bank(
    run_dirs: Sequence[Path], *, repository: Path, effort: Effort, terminal: Terminal, table_path: Path | None
) -> list[BankLine]:
    """Certify several runs on the demo, one after another, and write their table.

    The table goes to the terminal, and as Markdown to `table_path` where that is given: anew after each run, so that
    an interruption loses only the run it meets. A run that cannot be certified is a line that says why.
    """
    lines: list[BankLine] = []
    for run_dir in run_dirs:
        try:
            certificate = certify_run_on_demo(run_dir, repository=repository, effort=effort, terminal=terminal)
            lines.append(BankLine(run_dir.name, certificate))
        except ProdintelError as error:
            if len(run_dirs) == 1:
                raise
            terminal.say(f"{run_dir.name}: could not be run: {error}")
            lines.append(BankLine(run_dir.name, None, error.message))
        if table_path:
            table_path.write_text(render_table(lines), encoding="utf-8")
    if len(lines) > 1:
        terminal.say("\n" + render_table(lines))
    return lines


def render_table(lines: Iterable[BankLine]) -> str:
    """Return a Markdown table of certificates, a line a run.

    The columns of settings count the runs of all tests that came out as wanted; the one after them names the kinds of
    altered answers with the number of tests that noticed them.
    """
    rows = [
        "| incident | certified | red on faulty | green on fixed | green without | altered answers noticed | took |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        cells = (
            _cells(line.certificate) if line.certificate else [f"could not be run: {_flat(line.problem)}", *[""] * 5]
        )
        rows.append(f"| {' | '.join([line.name, *cells])} |")
    return "\n".join(rows) + "\n"


def _cells(certificate: Certificate) -> list[str]:
    tests = certificate.tests
    settings = [
        f"{sum(test.settings[name].as_wanted for test in tests)} of {sum(test.settings[name].n for test in tests)}"
        for name in SETTINGS
    ]
    noticed = ", ".join(f"{WORDS[kind]} {sum(kind in test.noticed for test in tests)}" for kind in KINDS)
    took = f"{certificate.took_ms / 1000:.0f} s"
    return [f"{len(certificate.certified)} of {len(tests)}", *settings, noticed, took]


def _flat(value: str) -> str:
    return " ".join(value.split()).replace("|", r"\|")[:200]


def read_suite(run_dir: Path) -> Suite:
    """Read the scenarios of a run.

    Raises
    ------
    ParameterError
        If the folder holds none.
    """
    path = run_dir / "tests" / "scenarios.json"
    try:
        return Suite.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = "has no such file" if isinstance(error, OSError) else "holds no scenarios of this version"
        raise ParameterError(
            f"{run_dir} is no run with tests: {path.relative_to(run_dir)} {reason}.",
            hint="name a folder that `prodintel replay` has written, such as reports/incident_replay/INC-2024-1234.",
        ) from error


def exit_code(certificate: Certificate | None) -> int:
    """Return 0 where something certifies (or, of one system, is stable), 2 where nothing could be run, else 1."""
    if certificate is None:
        return 1
    verdicts = {test.verdict for test in certificate.tests}
    if verdicts <= {"could_not_be_run"}:
        return 2
    if certificate.mode == "one_system":
        return 0 if verdicts & {"fails_now", "passes_now"} else 1
    return 0 if certificate.certified else 1


def _keep(certificate: Certificate, run_dir: Path, suite: Suite, terminal: Terminal) -> None:
    """Write what was found where the next reader looks: the run's folder, its report, and the workspace."""
    workspace = workspace_of(run_dir)
    if certificate.mode == "two_systems" and workspace:
        target = workspace / CERTIFICATES_FOLDER / f"{suite.incident_id}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(certificate.as_json())
    with locked(run_dir.resolve(), wait_s=LOCK_WAIT_S):
        if digest_suite(read_suite(run_dir)) != certificate.suite_digest:
            raise NoDataError(
                f"{run_dir} was replaced by other scenarios while they were certified.",
                hint="certify it again.",
            )
        verification = Verification(suite, None, certificate)
        if certificate.mode == "two_systems":
            verification.write_into(run_dir)
            _refresh(run_dir, verification)
        else:
            (run_dir / AGAINST_FILE).write_bytes(certificate.as_json())
            if not (run_dir / CERTIFICATE_FILE).is_file():
                _refresh(run_dir, verification)
    _say(certificate, run_dir, terminal)


def _refresh(run_dir: Path, verification: Verification) -> None:
    """Put the certificate's section into the run's notebook and report, its sentence into the other files."""
    result_path, run_path = run_dir / "result.json", run_dir / RUN_FILE
    if not (result_path.is_file() and run_path.is_file()):
        return  # tests that were written without a report have nothing to refresh
    result: dict[str, Any] = orjson.loads(result_path.read_bytes())
    result["verification"] = verification.sentence()
    result_path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")
    summary = run_dir / "summary.md"
    told = _TESTS_LINE.sub(lambda _: f"Tests ({verification.sentence()}):", summary.read_text(encoding="utf-8"))
    summary.write_text(told, encoding="utf-8")
    _refresh_report(run_dir, verification, result)
    list_files_anew(run_dir)


def _refresh_report(run_dir: Path, verification: Verification, result: dict[str, Any]) -> None:
    from nbformat import read, write  # noqa: PLC0415

    from prodintel_lib.report_run import write_report  # noqa: PLC0415
    from prodintel_lib.workspace import open_workspace  # noqa: PLC0415

    notebook = read(run_dir / "notebook.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.rstrip().endswith(".verification"):
            for output in cell.outputs:
                output.data = {"text/html": verification._repr_html_()}
    write(notebook, run_dir / "notebook.ipynb")  # type: ignore[no-untyped-call]
    root = workspace_of(run_dir)
    write_report(notebook, run_dir, result, open_workspace(root) if root else None)


def _say(certificate: Certificate, run_dir: Path, terminal: Terminal) -> None:
    for test in certificate.tests:
        word = "certified" if test.is_certified else test.verdict.replace("_", " ")
        told = " / ".join(f"{tally.as_wanted} of {tally.n}" for tally in test.settings.values())
        noticed = f"; notices {', '.join(test.noticed).replace('_', ' ')}" if test.noticed else ""
        terminal.say(f"  {word:<18} {test.test}: {told} as wanted{noticed}" + (f" ({test.why})" if test.why else ""))
    terminal.say(f"{certificate.incident_id}: {certificate.sentence()}")
    terminal.say(f"  Kept in {run_dir / (CERTIFICATE_FILE if certificate.mode == 'two_systems' else AGAINST_FILE)}")


@contextmanager
def _copied(tests: Path) -> Iterator[Path]:
    """Copy a suite, so that a replay that replaces the run meanwhile does not change what is run."""
    with tempfile.TemporaryDirectory(prefix="prodintel-") as folder:
        copy = Path(folder) / "tests"
        shutil.copytree(tests, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        yield copy
