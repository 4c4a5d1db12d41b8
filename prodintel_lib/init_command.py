"""`prodintel init`: look at a folder of exports and write the prodintel.yaml that reads them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import ParameterError, ProdintelError
from prodintel_lib.lake import LAKE_FOLDER
from prodintel_lib.sources.decompress import ByteStream, read_head
from prodintel_lib.sources.detect import HEAD_BYTES
from prodintel_lib.sources.log_detect import recognise_file
from prodintel_lib.sources.proposals import Proposal, propose_mapping
from prodintel_lib.sources.tabular import tabular_form
from prodintel_lib.workspace import CONFIG_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodintel_lib.terminal import Terminal

MAX_FILES: Final = 10_000
_SHOWN: Final = 20
_HEADER: Final = """\
# How prodintel reads this folder. docs/sources.md explains every key.
name: {name}
"""
_FOOTER: Final = """\

# What is promised, so that a report can say what was broken:
# slos:
#   - route: POST /api/orders      # method and route template
#     latency_ms: 500
#     percentile: 99
#     availability: 0.999
#     period_days: 28
"""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file of the folder, and what it was taken for.

    Attributes
    ----------
    path : str
        Relative to the folder.
    format : str
        Empty where it was not recognised.
    proposal : Proposal or None
        For a table that needs a mapping.
    problem : str
        Why nothing is known of it.
    """

    path: str
    format: str = ""
    proposal: Proposal | None = None
    problem: str = ""


def init_workspace(folder: Path, *, terminal: Terminal) -> tuple[FoundFile, ...]:
    """Recognise the exports of a folder by content and write a commented prodintel.yaml for them.

    Parameters
    ----------
    folder : Path
    terminal : Terminal
        It is told what was recognised, what was not, and what to type next.

    Returns
    -------
    tuple of FoundFile
        Every file that was looked at, by path.

    Raises
    ------
    ParameterError
        If the folder does not exist, already has a prodintel.yaml (it is never overwritten), or cannot be written to.
    """
    if not folder.is_dir():
        raise ParameterError(f"`{folder}` is no folder.", hint="name the folder that holds the exports.")
    config = folder / CONFIG_NAME
    if os.path.lexists(config):
        raise ParameterError(
            f"`{config}` is there already, and is not overwritten.",
            hint=f"edit it, or move it away; then `prodintel ingest --workspace {folder}` reads what it names.",
        )
    found = tuple(_look(folder, path) for path in _files(folder))
    content = render_config(folder.resolve().name, found)
    try:
        with config.open("x", encoding="utf-8") as handle:
            handle.write(content)
    except OSError as error:
        raise ParameterError(
            f"`{config}` cannot be written: {error.strerror}.", hint="make the folder writable."
        ) from error
    _tell(folder, found, terminal)
    return found


def _files(folder: Path) -> list[Path]:
    """Return the files below a folder that may be evidence."""

    def refuse(error: OSError) -> None:
        raise ParameterError(
            f"`{error.filename}` may not be entered: {error.strerror}.", hint="make it readable, or move it away."
        ) from error

    paths: list[Path] = []
    for inside, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != LAKE_FOLDER)
        paths += [Path(inside, name) for name in sorted(names) if not name.startswith(".") and name != CONFIG_NAME]
        if len(paths) > MAX_FILES:
            raise ParameterError(
                f"`{folder}` holds more than {MAX_FILES:,} files.", hint="name a folder that holds the exports alone."
            )
    return [path for path in paths if path.is_file()]


def _look(folder: Path, path: Path) -> FoundFile:
    name = path.relative_to(folder).as_posix()
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return FoundFile(name, problem="a link that leaves the folder")
        head = read_head(path, size_bytes=HEAD_BYTES)
        if not head.strip():
            return FoundFile(name, problem="empty")
        known = recognise_file(head)
        if known:
            return FoundFile(name, known)
        form = tabular_form(head)
        proposal = propose_mapping(ByteStream(path), form)
    except (OSError, RuntimeError, ProdintelError) as error:
        return FoundFile(name, problem=getattr(error, "strerror", None) or type(error).__name__)
    if proposal:
        return FoundFile(name, form, proposal)
    return FoundFile(name, problem="not recognised")


def render_config(name: str, found: Iterable[FoundFile]) -> str:
    """Write the configuration for the files that were found.

    Parameters
    ----------
    name : str
        Of the workspace.
    found : iterable of FoundFile
    """
    files = list(found)
    lines = [_HEADER.format(name=_quoted(name)).rstrip("\n")]
    known = [file for file in files if file.format and file.proposal is None]
    mapped = [file for file in files if file.proposal]
    lines.append("\nsources:" if known else "\nsources: []")
    lines += [f"  - path: {_quoted(file.path)}    # {file.format}, recognised by content" for file in known]
    for file in mapped:
        if file.proposal:
            lines += ["", *_mapping_lines(file.path, file.format, file.proposal, first=not known)]
    unknown = [file for file in files if not file.format]
    if unknown:
        lines += ["", "# Not recognised; a CSV, NDJSON or Parquet among them can be mapped as docs/sources.md shows:"]
        lines += [f"#   {_quoted(file.path)}: {file.problem}" for file in unknown[:_SHOWN]]
        if len(unknown) > _SHOWN:
            lines.append(f"#   and {len(unknown) - _SHOWN} more")
    return "\n".join(lines) + "\n" + _FOOTER


def _mapping_lines(path: str, form: str, proposal: Proposal, *, first: bool) -> list[str]:
    """Write a proposed mapping, commented out: names alone do not tell what a column means."""
    opening = [
        f"# A guess from the names: these look like {proposal.table}. Check each line, then take the `# ` away"
        + (" and the `[]` after `sources:`." if first else ".")
    ]
    body = [
        f"  - path: {_quoted(path)}",
        f"    format: {form}",
        f"    table: {proposal.table}",
        "    columns:",
    ]
    for column, expression in proposal.columns.items():
        doubt = (
            "    # which unit?  ms(..), us_to_ms(..), ns_to_ms(..), s_to_ms(..)" if column in proposal.unsure else ""
        )
        body.append(f"      {column}: {_quoted(expression)}{doubt}")
    if proposal.unused:
        body.append(f"      # not used, kept in attributes: {', '.join(map(_quoted, proposal.unused[:_SHOWN]))}")
    return opening + [f"# {line}" for line in body]


def _quoted(text: str) -> str:
    """Write a text as YAML, in quotes where it needs them; JSON is YAML."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./()-]*", text) and text.lower() not in {"null", "true", "false", "yes", "no"}:
        return text
    return json.dumps(text)


def _tell(folder: Path, found: tuple[FoundFile, ...], terminal: Terminal) -> None:
    recognised = Counter(file.format for file in found if file.format and file.proposal is None)
    for name, count in sorted(recognised.items()):
        terminal.say(f"  {name}: {count} {'file' if count == 1 else 'files'}")
    for file in found:
        if file.proposal:
            terminal.say(f"  {file.path}: looks like {file.proposal.table}; a mapping is proposed, to be confirmed")
    for file in [file for file in found if not file.format][:_SHOWN]:
        terminal.say(f"  {file.path}: {file.problem}")
    terminal.say(f"Wrote {folder / CONFIG_NAME}.")
    mapped = any(file.proposal for file in found)
    if mapped:
        terminal.say(f"Next: confirm the mappings in {folder / CONFIG_NAME}, then")
        terminal.say(f"  prodintel ingest --workspace {folder}")
    elif recognised:
        terminal.say(f"Next: prodintel ingest --workspace {folder}")
    else:
        terminal.say("Next: nothing was recognised; map a CSV, NDJSON or Parquet as docs/sources.md shows.")
