"""Business rules of an endpoint: what held between its answers, its requests and earlier answers in every session.

Few kinds of rules are tried over all pairs of values; one is kept where it held every time, was put to the test, and
would hold by chance in none of so many trials.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from prodintel_lib.scenarios.model import Frozen
from prodintel_lib.scenarios.monitors.answer_schema import places
from prodintel_lib.scenarios.recorded import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pydantic import JsonValue

    from prodintel_lib.scenarios.recorded import RecordedRequest

MIN_CASES: Final = 50
MAX_CHANCE: Final = 0.01
"""That any rule of an endpoint holds by chance, over all that were tried."""

MAX_RULES: Final = 6
MAX_SCALARS: Final = 80
MIN_TEXT: Final = 1

Source = Literal["answer", "path", "query", "body", "earlier"]
Fold = Literal["one", "each", "sum", "count"]
Relation = Literal["equals", "every", "among"]
_RANK: Final[dict[Source, int]] = {"earlier": 0, "body": 1, "path": 2, "query": 3, "answer": 4}


class Term(Frozen):
    """Where a value of a rule comes from.

    Attributes
    ----------
    of : {"answer", "path", "query", "body", "earlier"}
        The answer, a part of the request as it was sent, or the latest successful answer of an earlier step.
    step : str
        Method and route of the earlier step.
    at : str
        JSON pointer with ``*`` for every place of a list; the segment's number of a path; the name in a query.
    fold : {"one", "each", "sum", "count"}
        The value itself; the values of a list, one by one; their sum; how many there are.
    times : str
        Of a sum: the pointer, beside `at` in the same item, that each value is multiplied by.
    """

    of: Source
    step: str = ""
    at: str
    fold: Fold = "one"
    times: str = ""

    @property
    def says(self) -> str:
        """Name it for people."""
        place = f"segment {self.at}" if self.of == "path" else self.at
        times = f" times {self.times}" if self.fold == "sum" and self.times else ""
        whose = {"answer": "", "path": " of the path", "query": " of the query", "body": " of the request"}
        # No apostrophes: a test's docstring is then plain text.
        named = f"{place}{times}{whose.get(self.of, f' of {self.step}')}"
        return {"sum": f"the sum of {named}", "count": f"the number of {named}"}.get(self.fold, named)


class Rule(Frozen):
    """Something that held in all healthy answers.

    Attributes
    ----------
    relation : {"equals", "every", "among"}
        The left value is the right one; every one of the left list is; one of the left list is.
    left, right : Term
        The left one is of the answer.
    n : int
        Sessions it held in, all of them.
    by_chance : float
        How likely it is, at most, that any of the rules tried holds so often though it means nothing.
    tried : int
        Rules tried on this endpoint.
    """

    relation: Relation
    left: Term
    right: Term
    n: Annotated[int, Field(ge=1)]
    by_chance: float
    tried: int

    @property
    def says(self) -> str:
        """Say it in a sentence without its end."""
        if self.relation == "equals":
            return f"{self.left.says} is {self.right.says}"
        which = "every" if self.relation == "every" else "one of"
        return f"{which} {self.left.says} is {self.right.says}"


@dataclass(frozen=True, slots=True)
class Case:
    """A healthy request with what its session had been answered before."""

    request: RecordedRequest
    before: tuple[RecordedRequest, ...]


Scalars = dict[Term, str]
Lists = dict[Term, tuple[str, ...]]


def learn_rules(cases: Sequence[Case], *, steps: Iterable[str]) -> tuple[Rule, ...]:
    """Learn what always holds of an endpoint's answers.

    Parameters
    ----------
    cases : sequence of Case
        Of one endpoint, each of another session, successful.
    steps : iterable of str
        Earlier steps (method and route) whose answers a monitor will have.

    Returns
    -------
    tuple of Rule
        At most MAX_RULES: those that reach furthest first, and of each value of the answer one rule a source.

    Notes
    -----
    After Ernst et al. (2007), The Daikon system for dynamic detection of likely invariants,
    doi:10.1016/j.scico.2007.01.015. Two things differ. The kinds of rules are few: equality between two values, over
    a list, with a sum or a count. And the confidence is not of a formula for each kind: how often a rule would hold by
    chance is counted by pairing each answer with the requests of all other sessions, so that a constant proves
    nothing; to the power of the number of sessions and times the rules tried (Bonferroni), it has to be under
    MAX_CHANCE.

    Examples
    --------
    >>> learn_rules([], steps=())
    ()
    """
    known = sorted(set(steps))
    seen = [(_right_values(case, known), *_left_values(case)) for case in cases]
    candidates = list(_candidates(seen))
    kept = []
    for relation, left, right in candidates:
        pairs = _pairs_if_held(relation, left, right, seen)
        if len(pairs) < MIN_CASES:
            continue
        chance = _by_chance(relation, pairs) ** len(pairs) * len(candidates)
        if chance <= MAX_CHANCE:
            rule = Rule(
                relation=relation, left=left, right=right, n=len(pairs), by_chance=chance, tried=len(candidates)
            )
            kept.append(rule)
    return _fewest(kept)


def written(value: JsonValue) -> str | None:
    """Return how a value is compared, so that 3, 3.0 and "3" are the same; None where it is no text or number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.6f}".rstrip("0")
    return str(value) if len(str(value)) >= MIN_TEXT else None


Row = tuple[Scalars, Scalars, Lists]
Candidate = tuple[Relation, Term, Term]
Pair = tuple[tuple[str, ...], str]


def _right_values(case: Case, steps: Sequence[str]) -> Scalars:
    """Return the values a rule may compare an answer with that are not of the answer."""
    found: Scalars = {}
    template = case.request.route.lstrip("/").split("/")
    for number, segment in enumerate(case.request.path.lstrip("/").split("/")):
        if number < len(template) and template[number] != segment:
            found[Term(of="path", at=str(number))] = segment
    found |= {Term(of="query", at=name): value for name, value in case.request.query if value}
    found |= {Term(of="body", at=at): text for at, text in _scalars(case.request.body)}
    latest = {before.label: before for before in case.before if before.succeeded}
    for step in steps:
        answer = latest[step].answer if step in latest else None
        found |= {Term(of="earlier", step=step, at=at): text for at, text in _scalars(answer)}
    return found


def _left_values(case: Case) -> tuple[Scalars, Lists]:
    """Return the values of the answer: single ones with sums and counts, and lists."""
    single: Scalars = {Term(of="answer", at=at): text for at, text in _scalars(case.request.answer)}
    lists: dict[str, list[str]] = {}
    for place, value in places(case.request.answer):
        if "*" in place.split("/") and (text := written(value)) is not None:
            lists.setdefault(place, []).append(text)
    single |= dict(_folded(case.request.answer))
    return single, {Term(of="answer", at=place, fold="each"): tuple(values) for place, values in lists.items()}


def _scalars(value: JsonValue) -> Iterator[tuple[str, str]]:
    """Yield texts and numbers outside of lists by their pointers."""
    for number, (pointer, leaf) in enumerate(leaves(_without_lists(value))):
        if number < MAX_SCALARS and (text := written(leaf)) is not None:
            yield pointer, text


def _without_lists(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {name: _without_lists(inner) for name, inner in value.items() if not isinstance(inner, list)}
    return None if isinstance(value, list) else value


def _folded(answer: JsonValue) -> Iterator[tuple[Term, str]]:
    """Yield counts of the lists of objects directly below the answer, sums of their numbers, and sums of products."""
    for name, items in answer.items() if isinstance(answer, dict) else ():
        if not isinstance(items, list):
            continue
        place = f"/{name.replace('~', '~0').replace('/', '~1')}/*"
        yield Term(of="answer", at=place, fold="count"), str(len(items))
        rows = [_numbers(item) for item in items]
        fields = sorted(set.intersection(*(set(row) for row in rows))) if rows else []
        for first in fields:
            total = written(sum(row[first] for row in rows))
            if total is not None:
                yield Term(of="answer", at=place + first, fold="sum"), total
            for second in fields[fields.index(first) + 1 :]:
                product = written(sum(row[first] * row[second] for row in rows))
                if product is not None:
                    yield Term(of="answer", at=place + first, fold="sum", times=second), product


def _numbers(item: JsonValue) -> dict[str, float]:
    return {
        pointer: leaf
        for pointer, leaf in leaves(item)
        if isinstance(item, dict) and isinstance(leaf, int | float) and not isinstance(leaf, bool)
    }


def _candidates(seen: Sequence[Row]) -> Iterator[Candidate]:
    """Yield the rules that hold in the first session that has both values; the others are tried as well, and fail."""
    right = {term for row in seen for term in row[0]}
    single = {term for row in seen for term in row[1]}
    lists = {term for row in seen for term in row[2]}
    plain = sorted((term for term in single if term.fold == "one"), key=_order)
    folded = sorted((term for term in single if term.fold != "one"), key=_order)
    others = sorted(right, key=_order)
    for place, left in enumerate(plain):
        yield from (("equals", left, other) for other in (*others, *folded, *plain[place + 1 :]))
    for left in sorted(lists, key=_order):
        yield from (("every", left, other) for other in (*others, *plain))
        yield from (("among", left, other) for other in others)


def _order(term: Term) -> tuple[int, str, str, str, str]:
    return _RANK[term.of], term.step, term.at, term.fold, term.times


def _pairs_if_held(relation: Relation, left: Term, right: Term, seen: Sequence[Row]) -> list[Pair]:
    """Return both sides of a rule in every session that has both; nothing where it does not always hold."""
    pairs = []
    for row in seen:
        pair = _pair(relation, left, right, row)
        if pair is not None and not _holds(relation, *pair):
            return []
        if pair is not None:
            pairs.append(pair)
    return pairs


def _pair(relation: Relation, left: Term, right: Term, row: Row) -> Pair | None:
    """Return both sides of a rule in a session; None where a value is not there, or a list is empty."""
    others, single, lists = row
    compared = single.get(right) if right.of == "answer" else others.get(right)
    values = (single[left],) if relation == "equals" and left in single else lists.get(left, ())
    return (values, compared) if compared is not None and values else None


def _holds(relation: Relation, values: tuple[str, ...], compared: str) -> bool:
    return compared in values if relation == "among" else all(value == compared for value in values)


def _by_chance(relation: Relation, pairs: Sequence[Pair]) -> float:
    """Return how often the rule holds between an answer and what another session asked."""
    compared = Counter(text for _, text in pairs)
    n = len(pairs)
    met = 0
    for values, text in pairs:
        matching = set(values) if relation == "among" or len(set(values)) == 1 else set()
        met += sum(compared[value] for value in matching) - (text in matching)
    return met / (n * (n - 1))


def _fewest(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Choose the rules to keep: what one says, another need not say."""
    strength = {"equals": 0, "every": 1, "among": 2}

    def rank(rule: Rule) -> tuple[int, int, float, str, str]:
        folded = rule.right.fold in {"sum", "count"}
        return (0 if folded else _RANK[rule.right.of], strength[rule.relation], rule.by_chance, rule.left.at, rule.says)

    chosen: dict[tuple[str, str], Rule] = {}
    for rule in sorted(rules, key=rank):
        source = rule.right.fold if rule.right.fold != "one" else rule.right.of
        chosen.setdefault((rule.left.at, source), rule)
    return tuple(list(chosen.values())[:MAX_RULES])
