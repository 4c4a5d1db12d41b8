"""What a change does, read from its diff: nothing that runs, the same as before, or something that can hurt."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Effect = Literal["nothing", "bookkeeping", "same", "patch", "changes", "unknown"]
FactKind = Literal["constant", "check_removed", "constant_removed", "value", "call_in_loop", "grows", "release_removed"]

_PATHS: Final[tuple[tuple[str, str], ...]] = (
    ("test", r"(^|/)(tests?|spec|testdata|fixtures|__tests__|golden)(/|$)|[_.](test|spec|fuzz_test)\.|(^|/)test_"),
    ("docs", r"\.(md|rst|adoc|txt)$|(^|/)(docs?|CODEOWNERS|LICENSE|README|CHANGELOG)(/|$|\.)"),
    ("ci", r"(^|/)\.(github|gitlab|circleci)|Jenkinsfile|\.golangci|\.editorconfig|\.pre-commit|(^|/)ruff\.toml"),
    ("asset", r"\.(css|scss|less|svg|png|jpg|ico|html|tmpl|woff2?)$"),
    ("dependency", (r"(^|/)(go\.(mod|sum)|package(-lock)?\.json|yarn\.lock|pnpm-lock\.yaml|requirements[^/]*\.txt|"
                   r"poetry\.lock|uv\.lock|Cargo\.(toml|lock)|Gemfile(\.lock)?|pom\.xml|build\.gradle(\.kts)?)$")),
)  # fmt: skip
_COMMENT: Final = re.compile(r"^\s*(//|#(?!include|define)|--(?!-)|/\*|\*(\s|/|$)|\"\"\"|''')")
_TRAILING_COMMENT: Final = re.compile(r"\s(//|#)\s.*$")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+(?:\.[0-9]+)?")
_GUARD: Final = re.compile(r"^\s*(?:\}?\s*else\s+)?(?:if|unless|guard|assert|require|elif|when)\b(.*)$")
_ERROR_ONLY: Final = frozenset(
    {"err", "error", "e", "ex", "exc", "nil", "null", "None", "ok", "not", "is", "i", "true"}
)
_LOOP: Final = re.compile(r"^\s*(for|while|foreach)\b|\.(forEach|map|each)\s*\(|\bfor\s+\w+\s+in\b")
_ASKS: Final = re.compile(
    r"\.\s*((?:get|fetch|load|query|find|select|exec|execute|call|send|request|lookup|read|list|post)\w*)\s*\(",
    re.IGNORECASE,
)
_STATIC: Final = re.compile(
    r"^(?:var|let|const|static|private static|public static|global)?\s*(\w+)\s*"
    r"(?::?=\s*(?:\[\]|\{\}|new\b|make\()|(?:=\s*)?(?:map\[|\[\]\w))"
)
_APPEND: Final = re.compile(
    r"\b(\w+)\s*=\s*append\(\s*(\w+)|\b(\w+)\.(?:push|append|add|put|set)\(|\b(\w+)\[[^\]]+\]\s*="
)
_BOUNDED: Final = re.compile(
    r"evict|lru|\bmax|cap\b|limit|bounded|ttl|expire|delete\(|\.pop|\.clear|\.remove|shift\(|trim"
)
_RELEASE: Final = re.compile(
    r"(?:\.|\b)(close|release|unlock|free|dispose|cancel|rollback|disconnect|putback)\w*\s*\(", re.IGNORECASE
)
_DROPPED_INDEX: Final = re.compile(r"\bdrop\s+index\b|\bremove_index\b|\bdropIndex\b", re.IGNORECASE)
_WATCHING: Final = re.compile(
    r"counter|metric|gauge|histogram|prometheus|\blog(ger|ging)?\b|\blog\.|span|trace|telemetry|statsd|setattribute|\.inc\(",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(
    r"(?<![\w.])([0-9][0-9_]*(?:\.[0-9]+)?)\s*(?:\*\s*time\.)?\s*"
    r"(nanoseconds?|microseconds?|milliseconds?|seconds?|minutes?|hours?|days?|ns|us|ms|s|m|h|d|ki?b?|mi?b?|gi?b?|%)?(?![\w.])",
    re.IGNORECASE,
)
_UNITS: Final[dict[str, float]] = {
    "n": 1e-9, "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "nanosecond": 1e-9,
    "microsecond": 1e-6, "millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0,
    "k": 1e3, "kb": 1e3, "ki": 1024.0, "kib": 1024.0, "mb": 1e6, "mi": 1048576.0, "mib": 1048576.0,
    "g": 1e9, "gb": 1e9, "gi": 1073741824.0, "gib": 1073741824.0, "%": 0.01,
}  # fmt: skip
_BOUND: Final = re.compile(r"\b(\w*(?:timeout|deadline|limit|max|ttl|retries)\w*)\s*[=:]\s*[0-9]", re.IGNORECASE)
_SWITCH: Final = re.compile(r"\b(?:true|false|on|off|enabled|disabled)\b|\"[^\"]*\"|'[^']*'", re.IGNORECASE)
_OPERATOR: Final = re.compile(r"<=|>=|==|!=|&&|\|\||(?<!-)>|<")
_VERSION: Final = re.compile(r"v?[0-9]+\.[0-9]+(\.[0-9]+)?")
SAME_SHARE: Final = 0.8
MIN_STRENGTH: Final = 0.1
_KEYWORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "func function def return if else elif for while in range var let const static public private new nil null "
        "none true false err error string int int64 float64 bool byte self this import package struct type interface "
        "void async await try except catch throw raise with as from and or not the a an of to is are be it on by",
    )
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a diff does.

    Attributes
    ----------
    kind : str
    says : str
        For people; holds pieces of the diff.
    words : frozenset of str
        Words of the lines concerned.
    strength : float
        From 0 to 1: how much such a thing changes what the program does.
    was, now : float or None
        For constants: the values, in seconds, bytes or as they are.
    """

    kind: FactKind
    says: str
    words: frozenset[str]
    strength: float
    was: float | None = None
    now: float | None = None


@dataclass(frozen=True, slots=True)
class DiffReading:
    """What a change does as far as its text tells.

    Attributes
    ----------
    effect : str
        ``nothing`` that runs (comments, documents, tests, styles); ``bookkeeping`` (metrics, logs, an index);
        ``same`` (moved or renamed); ``patch`` (versions of dependencies); ``changes`` what the program does;
        ``unknown`` where there is no diff.
    facts : tuple of Fact
    files : tuple of str
    words : frozenset of str
        Words of the changed lines, the files and the description.
    """

    effect: Effect
    facts: tuple[Fact, ...] = ()
    files: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()


@dataclass(slots=True)
class _File:
    path: str
    removed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


def words_of(text: str) -> frozenset[str]:
    """Split a text into the words that carry meaning: identifiers taken apart, lower case, plurals cut.

    Examples
    --------
    >>> sorted(words_of("if resp.MaxConns == nil { return }"))
    ['conn', 'max', 'resp']
    """
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    found = (word.lower() for word in re.findall(r"[A-Za-z]{3,}", split))
    return frozenset(
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in found
        if word not in _KEYWORDS
    )


def read_diff(diff: str | None, *, files: Sequence[str] = (), description: str = "") -> DiffReading:
    """Read a unified diff (headers optional) for what it does.

    Parameters
    ----------
    diff : str or None
    files : sequence of str
        Changed files where the source lists them; those named in the diff are added.
    description : str
        The commit's message.

    Notes
    -----
    This is reading, not proving: lines are compared as text. It is meant to tell what a change *could* do from what it
    cannot, whatever its message claims.
    """
    parts = _parse(diff or "", files)
    names = tuple(dict.fromkeys([*files, *(part.path for part in parts if part.path)]))
    kinds = {_kind_of_path(name) for name in names}
    words = words_of(" ".join([description, *names, *(line for part in parts for line in part.added + part.removed)]))
    if not diff:
        quiet = bool(kinds) and kinds <= {"test", "docs", "ci", "asset"}
        return DiffReading("nothing" if quiet else "unknown", (), names, words)
    running = [part for part in parts if _kind_of_path(part.path) not in {"test", "docs", "ci", "asset"}]
    removed, added = _without_moves(running)
    if not removed and not added:
        return DiffReading("nothing", (), names, words)
    if all(_kind_of_path(part.path) == "dependency" for part in running) or _only_versions(removed, added):
        return DiffReading("patch", (), names, words)
    facts = tuple(_find_facts(running, removed, added))
    return DiffReading(_effect(removed, added, facts), facts, names, words)


def _parse(diff: str, files: Sequence[str]) -> list[_File]:
    current = _File(files[0] if len(files) == 1 else "")
    parts = [current]
    for line in diff.splitlines():
        if line.startswith(("--- ", "diff --git", "index ")):
            continue
        header = re.match(r"^\+\+\+ (?:b/)?(\S+)", line) or re.match(r"^@@+ ([\w./-]+\.\w+)", line)
        if header:
            current = _File(header[1])
            parts.append(current)
        elif line.startswith("+"):
            current.added.append(line[1:])
        elif line.startswith("-"):
            current.removed.append(line[1:])
    return [part for part in parts if part.added or part.removed]


def _kind_of_path(path: str) -> str:
    return next((kind for kind, pattern in _PATHS if re.search(pattern, path)), "code")


def _without_moves(parts: Iterable[_File]) -> tuple[list[str], list[str]]:
    """Return the removed and added lines that run, without those found on both sides."""
    removed = [code for part in parts for line in part.removed if (code := _code(line))]
    added = [code for part in parts for line in part.added if (code := _code(line))]
    both = Counter(line.strip() for line in removed) & Counter(line.strip() for line in added)
    return _less(removed, both.copy()), _less(added, both.copy())


def _code(line: str) -> str:
    return "" if _COMMENT.match(line) else _TRAILING_COMMENT.sub("", line).rstrip()


def _less(lines: list[str], counts: Counter[str]) -> list[str]:
    kept = []
    for line in lines:
        if counts[line.strip()] > 0:
            counts[line.strip()] -= 1
        else:
            kept.append(line)
    return kept


def _only_versions(removed: list[str], added: list[str]) -> bool:
    """Say whether the lines differ in dotted versions only, and each names a package."""
    if not removed or len(removed) != len(added):
        return False
    strip = [(_VERSION.sub("", a).strip(), _VERSION.sub("", b).strip()) for a, b in zip(removed, added, strict=True)]
    versions = all(_VERSION.search(line) and ("/" in line or "==" in line or ":" in line) for line in removed)
    return versions and all(a == b for a, b in strip)


def _effect(removed: list[str], added: list[str], facts: tuple[Fact, ...]) -> Effect:
    if facts:
        return "changes"
    statement = " ".join(added).lower()
    if not removed and re.search(r"create\s+(unique\s+)?index", statement) and "drop" not in statement:
        return "bookkeeping"
    telling = [line for line in added if len(_WORD.findall(line)) > 1]
    if not removed and telling and all(_WATCHING.search(line) for line in telling):
        return "bookkeeping"
    before = Counter(word for line in removed for word in _WORD.findall(line))
    after = Counter(word for line in added for word in _WORD.findall(line))
    total = sum(before.values())
    return "same" if total and sum((before & after).values()) / total >= SAME_SHARE else "changes"


def _find_facts(parts: list[_File], removed: list[str], added: list[str]) -> Iterable[Fact]:
    every_added = [line for part in parts for line in part.added]
    yield from _changed_constants(removed, added)
    yield from _flipped_values(removed, added)
    yield from _lost_checks(removed, every_added)
    yield from _calls_in_loops(removed, every_added)
    yield from _growing(added)
    yield from _no_longer_released(removed, added)
    for line in added:
        if _DROPPED_INDEX.search(line):
            yield Fact("value", f"does `{line.strip()}`", words_of(f"{line} query slow"), 1.0)


def _no_longer_released(removed: list[str], added: list[str]) -> Iterable[Fact]:
    for line in removed:
        name = _RELEASE.search(line)
        if name and not any(name[1].lower() in other.lower() for other in added):
            # Without its lock anything may go wrong; what is not closed runs out.
            kind: FactKind = "value" if name[1].lower() == "unlock" else "release_removed"
            yield Fact(kind, f"no longer does `{line.strip()}`", words_of(line), 0.8)


def _changed_constants(removed: list[str], added: list[str]) -> Iterable[Fact]:
    skeletons = {_NUMBER.sub("#", line).strip(): line for line in added if _NUMBER.search(line)}
    for line in removed:
        other = skeletons.get(_NUMBER.sub("#", line).strip())
        if other is None:
            yield from _removed_definition(line, removed, added)
            continue
        for was, now in zip(_values(line), _values(other), strict=False):
            if was != now:
                ratio = max(was, now) / min(was, now) if min(was, now) > 0 else 10.0
                lowered = now < was
                # A fifth more or less of something is tuning; a half or a third is another regime.
                strength = min(1.0, (ratio - 1.25) / 2) * (1.0 if lowered else 0.6)
                says = f"{'lowers' if lowered else 'raises'} `{line.strip()}` to `{other.strip()}`"
                if strength >= MIN_STRENGTH:
                    yield Fact("constant", says, words_of(line), strength, was, now)


def _flipped_values(removed: list[str], added: list[str]) -> Iterable[Fact]:
    """Find lines that differ in a switch, a quoted value or an operator alone; a version is no value."""
    for pattern in (_SWITCH, _OPERATOR):
        skeletons = {pattern.sub("?", line).strip(): line for line in added if pattern.search(line)}
        for line in removed:
            other = skeletons.get(pattern.sub("?", line).strip()) if pattern.search(line) else None
            pairs = zip(pattern.findall(line), pattern.findall(other or ""), strict=False)
            changed = [was for was, now in pairs if was != now and not (_VERSION.search(was) and _VERSION.search(now))]
            if other is not None and changed:
                strength = 0.5 if changed[0][0] in "\"'" else 1.0
                yield Fact(
                    "value", f"turns `{line.strip()}` into `{other.strip()}`", words_of(f"{line} {other}"), strength
                )


def _values(line: str) -> list[float]:
    found = []
    for match in _NUMBER.finditer(line):
        unit = (match[2] or "").lower()
        if len(unit) > 3:
            unit = unit.removesuffix("s")
        found.append(float(match[1].replace("_", "")) * _UNITS.get(unit, 1.0))
    return found


def _removed_definition(line: str, removed: list[str], added: list[str]) -> Iterable[Fact]:
    defined = re.match(r"^\s*(?:const|var|let|final|static)?\s*(\w+)\s*(?::?=|:)\s*[0-9]", line)
    bound = _BOUND.search(line)
    if bound and not any(bound[1] in other for other in added):
        yield Fact("constant_removed", f"drops `{bound[0].strip()}`", words_of(line), 1.0)
    if not defined:
        return
    name = defined[1]
    used = any(re.search(rf"\b{re.escape(name)}\b", other) for other in removed if other is not line)
    if used and not any(re.search(rf"\b{re.escape(name)}\b", other) for other in added):
        yield Fact("constant_removed", f"drops `{line.strip()}` and its use", words_of(line), 1.0)


def _lost_checks(removed: list[str], every_added: list[str]) -> Iterable[Fact]:
    """Find conditions of which a part is nowhere on the added side: a check that is no longer made."""
    kept = {word for line in every_added for word in _WORD.findall(_code(line))}
    for line in removed:
        guard = _GUARD.match(line)
        if not guard:
            continue
        condition = guard[1].partition("{")[0].rpartition(";")[2]
        parts = _WORD.findall(condition)
        subject = [word for word in parts if word not in _ERROR_ONLY]
        # Passing an error on is not a check of one's own: helpers take that over.
        if not subject:
            continue
        lost = [word for word in parts if word not in kept]
        still_used = any(word in kept for word in subject)
        if lost and still_used:
            says = f"no longer checks `{condition.strip(' {:')}`"
            yield Fact("check_removed", says, words_of(line) | _null_words(parts), 1.0)


def _null_words(parts: list[str]) -> frozenset[str]:
    return frozenset({"nil", "null", "none", "pointer"}) if {"nil", "null", "None"} & set(parts) else frozenset()


def _calls_in_loops(removed: list[str], added: list[str]) -> Iterable[Fact]:
    known = {name.lower() for line in removed for name in _ASKS.findall(line)}
    loop_indent: int | None = None
    for line in (code for raw in added if (code := _code(raw))):
        indent = len(line) - len(line.lstrip())
        if loop_indent is not None and indent <= loop_indent:
            loop_indent = None
        if loop_indent is not None:
            for name in _ASKS.findall(line):
                if name.lower() not in known:
                    asked = "database query select call request"
                    yield Fact("call_in_loop", f"asks `{line.strip()}` once per round of a loop",
                               words_of(f"{line} {asked}"), 1.0)  # fmt: skip
        if _LOOP.search(line) and loop_indent is None:
            loop_indent = indent


def _growing(added: list[str]) -> Iterable[Fact]:
    text = " ".join(added)
    if _BOUNDED.search(text.lower()):
        return
    statics = {found[1] for line in added if not line[:1].isspace() and (found := _STATIC.match(line))}
    for line in added:
        for match in _APPEND.finditer(line):
            name = next((group for group in match.groups() if group), "")
            if name in statics:
                yield Fact("grows", f"`{line.strip()}` adds to what lives as long as the process, without a bound",
                           words_of(f"{line} memory heap rss"), 1.0)  # fmt: skip
                return
