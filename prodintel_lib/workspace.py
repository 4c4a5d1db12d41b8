"""A workspace: a folder with `prodintel.yaml` and the lake that is made from the sources it names."""

from __future__ import annotations

import hashlib
import json
import os
import reprlib
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prodintel_lib.errors import ParameterError
from prodintel_lib.lake import LAKE_FOLDER, Lake
from prodintel_lib.privacy.config import PrivacyConfig
from prodintel_lib.yaml_bounds import MAX_YAML_DEPTH, MAX_YAML_NODES, unfolds_too_far, yaml_depth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import narwhals as nw

    from prodintel_lib.windows import Window

CONFIG_NAME: Final = "prodintel.yaml"
_MAX_SHOWN_CHARS: Final = 80
_GLOB_SIGNS: Final = frozenset("*?[")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(_Strict):
    """Where evidence comes from.

    Attributes
    ----------
    path : str
        A file, a folder or a glob, relative to the workspace or absolute. A relative one may not leave the workspace.
    format : str or None
        The name of a format; recognised by content when left out.
    table : str or None
        The canonical table the rows go to, for a mapped table.
    columns : dict or None
        Canonical column to an expression over the file's columns; with `table`. See docs/sources.md.
    """

    path: str = Field(min_length=1)
    format: str | None = None
    table: str | None = None
    columns: dict[str, str] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _has_both_or_neither(self) -> Self:
        if (self.table is None) != (self.columns is None):
            raise ValueError("`table` and `columns` come together")
        return self


class RouteSlo(_Strict):
    """What is promised for one route.

    Attributes
    ----------
    route : str
        Method and route template, such as ``POST /api/orders``.
    latency_ms : float or None
        The promised duration at `percentile`.
    percentile : float
        Of the duration, 0 to 100.
    availability : float or None
        The promised share of requests that do not fail, 0 to 1.
    period_days : int
        Over how many days, ending now, the promise is kept or broken.
    """

    route: str = Field(min_length=1)
    latency_ms: float | None = Field(default=None, gt=0)
    percentile: float = Field(default=99, gt=0, le=100)
    availability: float | None = Field(default=None, gt=0, le=1)
    period_days: int = Field(default=28, ge=1, le=366)

    @model_validator(mode="after")
    def _promises_something(self) -> Self:
        if self.latency_ms is None and self.availability is None:
            raise ValueError("a promise needs `latency_ms` or `availability`")
        return self


class AuthConfig(_Strict):
    """How a session is authorised; headers are not recorded, so this cannot be learned from the data.

    Attributes
    ----------
    header : str
        The header that carries the token.
    prefix : str
        What stands before the token, such as ``"Bearer "``.
    route : str
        Method and route template of the request that gives the token.
    pointer : str
        JSON pointer to the token in its answer.
    """

    header: str = Field(default="Authorization", min_length=1)
    prefix: str = "Bearer "
    route: str = Field(min_length=1)
    pointer: str = Field(pattern="^/")


class JourneysConfig(_Strict):
    """What a session is, and what it is for.

    Attributes
    ----------
    conversions : tuple of str
        Page routes (``/confirmation``) or event names (``purchase``) that mean a visitor did what the site is for.
    session_gap_min : float
        Minutes without an event that end a session.
    """

    conversions: tuple[str, ...] = ()
    session_gap_min: float = Field(default=30.0, gt=0, le=1440)


class BusinessConfig(_Strict):
    """The business's clock and calendar.

    Attributes
    ----------
    time_zone : str
        IANA name of its clock, such as ``Europe/Berlin``: hours of the day and days of the week are its own.
    events : tuple of str
        Named events by that clock, ``2026-11-27/2026-11-30 black-friday``: start, end (not part of it), name.
    """

    time_zone: str = Field(default="UTC", min_length=1)
    events: tuple[str, ...] = ()


class WorkspaceConfig(_Strict):
    """What `prodintel.yaml` says.

    Attributes
    ----------
    name : str
    sources : tuple of SourceConfig
    slos : tuple of RouteSlo
    proxies : dict
        Dependency (service name or server address) to the name of the proxy before it.
    owners : dict
        Category of a finding to who takes it.
    auth : AuthConfig or None
        How generated tests authorise a session.
    privacy : PrivacyConfig
        Further rules for what is replaced before anything is written.
    journeys : JourneysConfig
    business : BusinessConfig
    openapi : str or None
        The OpenAPI document of the system: a file inside the workspace, or an http(s) URL that is read when it is used.
    generated_by : str
        What made the data up, where nobody's system recorded it; every report made from it says so.
    """

    name: str = Field(min_length=1)
    sources: tuple[SourceConfig, ...] = ()
    slos: tuple[RouteSlo, ...] = ()
    proxies: dict[str, str] = Field(default_factory=dict)
    owners: dict[str, str] = Field(default_factory=dict)
    auth: AuthConfig | None = None
    privacy: PrivacyConfig = Field(default_factory=PrivacyConfig)
    journeys: JourneysConfig = Field(default_factory=JourneysConfig)
    business: BusinessConfig = Field(default_factory=BusinessConfig)
    openapi: str | None = Field(default=None, min_length=1)
    generated_by: str = ""


@dataclass(frozen=True, slots=True)
class TableMapping:
    """How the columns of a file become those of a canonical table.

    Attributes
    ----------
    where : str
        File and key of the configuration, for errors.
    table : str
    columns : dict
        Canonical column to expression.
    """

    where: str
    table: str
    columns: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Differs where the mapping does."""
        content = json.dumps([self.table, dict(self.columns)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to read.

    Attributes
    ----------
    key : str
        How it is named in the lake: relative to the workspace where it lies inside, else absolute. A file that
        several mappings read has ``#2`` after it for the second, and so on.
    path : Path
    format : str or None
        As configured.
    mapping : TableMapping or None
    """

    key: str
    path: Path
    format: str | None
    mapping: TableMapping | None = None


@dataclass(frozen=True)
class Workspace:
    """An open workspace.

    Attributes
    ----------
    root : Path
        The folder, resolved.
    config : WorkspaceConfig
    """

    root: Path
    config: WorkspaceConfig

    @cached_property
    def lake(self) -> Lake:
        """The Parquet lake: the only reader and writer of it."""
        return Lake(self.root / LAKE_FOLDER)

    def scan(
        self, table: str, *, window: Window | None = None, engine: str = "polars", bucket: int | None = None
    ) -> nw.LazyFrame[Any]:
        """Read a canonical table lazily.

        Parameters
        ----------
        table : str
            A name of tables.TABLES.
        window : Window, optional
            Only rows with ``time_us`` in it; days outside are not opened.
        engine : {"polars", "duckdb", "spark"}
        bucket : int, optional
            Of a table that has ``user_bucket``: only the visitors in it.

        Returns
        -------
        narwhals.LazyFrame
            All columns of the table, in no order; no rows where nothing was ingested.

        Raises
        ------
        ParameterError
            If the table or the engine is unknown.
        """
        return self.lake.scan(table, window=window, engine=engine, bucket=bucket)

    def source_files(self) -> list[SourceFile]:
        """List the files the configuration names, in the order of the configuration and then by name.

        Each comes once, and once for each mapping that reads it; a file that is mapped is not read otherwise too.

        Raises
        ------
        ParameterError
            If an entry names nothing that exists, or leaves the workspace by a relative path.
        """
        named: list[SourceFile] = []
        for number, source in enumerate(self.config.sources):
            mapping = None
            if source.table is not None and source.columns is not None:
                mapping = TableMapping(f"{CONFIG_NAME}: sources[{number}]", source.table, source.columns)
            for path in self._expand(source.path):
                inside = path.is_relative_to(self.root)
                key = path.relative_to(self.root).as_posix() if inside else path.as_posix()
                named.append(SourceFile(key, path, source.format, mapping))
        mapped = {file.key for file in named if file.mapping}
        found: dict[str, SourceFile] = {}
        times: Counter[str] = Counter()
        for file in named:
            if file.mapping is None:
                if file.key not in mapped:
                    found.setdefault(file.key, file)
                continue
            times[file.key] += 1
            key = file.key if times[file.key] == 1 else f"{file.key}#{times[file.key]}"
            found[key] = replace(file, key=key)
        return list(found.values())

    def _expand(self, spec: str) -> list[Path]:
        try:
            return self._expanded(spec)
        except (OSError, ValueError, RuntimeError) as error:
            raise ParameterError(
                f"The source `{_shortened(spec)}` of {self.root / CONFIG_NAME} cannot be looked at: "
                f"{getattr(error, 'strerror', None) or error}.",
                hint="make it readable for the account that runs prodintel, or take it out of `sources`.",
            ) from error

    def _expanded(self, spec: str) -> list[Path]:
        named = self.root / spec
        if named.is_file():
            files = [named.resolve()]
        else:
            found = self._glob(named) if _GLOB_SIGNS & set(spec) else _walk(named)
            files = [
                path for path in sorted(path.resolve() for path in found if path.is_file()) if self._is_source(path)
            ]
        if not files:
            raise ParameterError(
                f"The source `{_shortened(spec)}` of {self.root / CONFIG_NAME} names no file.",
                hint="correct the path; it is relative to the folder of prodintel.yaml.",
            )
        if not spec.startswith("/") and (outside := [path for path in files if not path.is_relative_to(self.root)]):
            raise ParameterError(
                f"The source `{spec}` of {self.root / CONFIG_NAME} leaves the workspace: it leads to {outside[0]}.",
                hint="write an absolute path if that file is meant.",
            )
        return files

    def _glob(self, named: Path) -> Iterator[Path]:
        first = next(place for place, part in enumerate(named.parts) if _GLOB_SIGNS & set(part))
        return type(named)(*named.parts[:first]).glob("/".join(named.parts[first:]))

    def _is_source(self, path: Path) -> bool:
        """Say whether a file found in a folder may be evidence: it is neither hidden nor the workspace's own."""
        if not path.is_relative_to(self.root):
            return not path.name.startswith(".")
        parts = path.relative_to(self.root).parts
        return parts[0] not in {LAKE_FOLDER, CONFIG_NAME} and not any(part.startswith(".") for part in parts)


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder; a folder that may not be read is an error, not an empty one."""

    def refuse(error: OSError) -> None:
        raise error

    if folder.is_dir():
        for inside, _, names in os.walk(folder, onerror=refuse):
            yield from (type(folder)(inside, name) for name in names)


def open_workspace(path: Path) -> Workspace:
    """Open a workspace folder.

    Parameters
    ----------
    path : Path
        A folder that holds `prodintel.yaml`.

    Raises
    ------
    ParameterError
        If there is no such file, or it says something that is not understood; the line is named.
    """
    file = path / CONFIG_NAME
    if not file.is_file():
        raise ParameterError(
            f"`{path}` is no workspace: it has no {CONFIG_NAME}.",
            hint=f"name a folder that holds a {CONFIG_NAME} (at least `name:` and `sources:`).",
        )
    return Workspace(path.resolve(), read_config(file))


def read_config(file: Path) -> WorkspaceConfig:
    """Read and check a `prodintel.yaml`.

    Raises
    ------
    ParameterError
        If it is not YAML, or a key or a value is not understood.
    """
    try:
        content = file.read_bytes()
        if yaml_depth(content) > MAX_YAML_DEPTH:
            raise ParameterError(f"{file} is nested deeper than {MAX_YAML_DEPTH}.", hint="write it flatter.")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(content)
    except (OSError, yaml.reader.ReaderError) as error:
        raise ParameterError(f"{file} cannot be read: {error}.", hint="make it a readable file in UTF-8.") from error
    try:
        node = loader.get_single_node()
        if unfolds_too_far(node):
            raise ParameterError(
                f"{file} unfolds to more than {MAX_YAML_NODES:,} values through its aliases.",
                hint="write them out where they are needed; a configuration is short.",
            )
        document = loader.construct_document(node) if node else None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ParameterError(
            f"{file} is not YAML: {' '.join(str(error).split())}.", hint="mend the line that is named."
        ) from error
    finally:
        loader.dispose()
    if node is None or not isinstance(document, dict):
        raise ParameterError(f"{file} holds no keys.", hint="write at least `name:` and `sources:`.")
    try:
        return WorkspaceConfig.model_validate(document)
    except ValidationError as error:
        raise _explain(error, file, node) from error


def _explain(error: ValidationError, file: Path, node: yaml.Node) -> ParameterError:
    """Turn pydantic's first complaint into a sentence with the line of the YAML."""
    first = error.errors(include_url=False)[0]
    location = first["loc"]
    where = f"{file}, line {_line_of(node, location)}"
    if first["type"] == "extra_forbidden":
        models: dict[str, type[BaseModel]] = {
            "sources": SourceConfig,
            "slos": RouteSlo,
            "auth": AuthConfig,
            "privacy": PrivacyConfig,
            "journeys": JourneysConfig,
        }
        model = models.get(str(location[0]), WorkspaceConfig) if len(location) > 1 else WorkspaceConfig
        return ParameterError.unknown("key", str(location[-1]), known=model.model_fields, where=where)
    name = ".".join(str(part) for part in location)
    shown = _shortened(reprlib.repr(first["input"]))
    return ParameterError(
        f"{where}: `{name}`: {first['msg']}; it is {shown}.",
        hint=f"mend `{name}` in {CONFIG_NAME}.",
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}..."


def _line_of(node: yaml.Node, location: tuple[int | str, ...]) -> int:
    line: int = node.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            inner = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if inner is None:
                break
            line, node = inner[0].start_mark.line, inner[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1
