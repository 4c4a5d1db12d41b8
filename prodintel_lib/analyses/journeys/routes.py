"""Learn the templates of a site's pages from the paths that were shown: ``/product/17`` is a ``/product/{id}``.

No list of names is kept. A segment is a slot where its values say so: by their shape (numbers, hashes, codes), or
because there are many under one prefix. What is merely a handful of names stays as many pages.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

ROUTES_SCHEMA: Final[dict[str, pl.DataType]] = {"url_path": pl.String(), "route": pl.String()}
ID_SLOT: Final = "{id}"
NAME_SLOT: Final = "{name}"
# So many values of a shape under one prefix are ids; fewer may be versions (v1, v2) or years.
MIN_IDS: Final = 3
# So many names under one prefix are a catalogue and no menu. A site's own pages all stand under its root.
MANY_NAMES: Final = 20
MANY_NAMES_AT_ROOT: Final = 50
# Of a catalogue under the root: a name with this share of its views is a page of its own (/cart among product names).
OWN_PAGE_SHARE: Final = 0.02
# Where most names of a catalogue end a path, one that leads on is something else.
LEADS_ON_SHARE: Final = 0.2
# Shapes that are ids even where one is seen alone. The pattern of a segment, from the slash on.
_SURE_ID: Final = (
    r"/(?:[0-9]{5,}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{16,}|"
    r"[^/@]+(?:@|%40)[^/]+|[0-9]{4}-[0-9]{2}-[0-9]{2})"
)
# A fence after each: segments touch, and a pattern that took the next slash would pass over the next segment.
_SURE_IDS: Final = rf"{_SURE_ID}(\.[A-Za-z]{{1,5}})?(/|\z)"
_NUMBER: Final = re.compile(r"[0-9]{2,}")
_ONE_DIGIT: Final = re.compile(r"[0-9]")
_CODE: Final = re.compile(r"([A-Za-z]+[-_.]?)[0-9]{2,}[A-Za-z0-9]*|[0-9]{2,}([-_.]?[A-Za-z]+)")
_SIGN: Final = re.compile(r"[A-Za-z]+[-_.]")
_MIXED: Final = re.compile(r"(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Za-z])[A-Za-z0-9_-]{6,}")
_MANY_WORDS: Final = re.compile(r"[-_+%]|[a-z][A-Z]|[0-9]")
_EXTENSION: Final = re.compile(r"(.+?)(\.[A-Za-z][A-Za-z0-9]{0,4})")
MIN_DIGIT_SHARE: Final = 0.2


@dataclass(slots=True)
class _Node:
    """A place in the tree of paths, after the slots above it were found."""

    views: int = 0
    children: dict[str, _Node] = field(default_factory=dict)
    members: list[int] = field(default_factory=list)


def learn_routes(paths: pl.DataFrame) -> pl.DataFrame:
    """Find the template of every path.

    Parameters
    ----------
    paths : polars.DataFrame
        ``url_path, views, bad``, as rollups.rum_paths.build_paths counts them; a row a path.

    Returns
    -------
    polars.DataFrame
        ``url_path, route``, in the order of `paths`. ``{id}`` stands for a number, a hash or a code, ``{name}`` for one
        of many names. A path that was never answered well gets no template: what a scanner tries says nothing of the
        site.

    Examples
    --------
    >>> seen = pl.DataFrame({"url_path": ["/p/10", "/p/11", "/p/12", "/p/new"], "views": 1, "bad": 0})
    >>> learn_routes(seen)["route"].to_list()
    ['/p/{id}', '/p/{id}', '/p/{id}', '/p/new']
    """
    plain = paths.with_columns(_without_sure_ids(pl.col("url_path")).alias("_plain"))
    counted = plain.group_by("_plain", maintain_order=True).agg(
        pl.col("views").sum(), (pl.col("bad") == pl.col("views")).all().alias("_never_shown")
    )
    shown = counted.filter(~pl.col("_never_shown"))
    templates = _templates(shown["_plain"].to_list(), shown["views"].to_list())
    learned = pl.DataFrame({"_plain": shown["_plain"], "route": templates}, schema_overrides={"route": pl.String})
    joined = plain.join(learned, on="_plain", how="left", maintain_order="left")
    return joined.select("url_path", pl.coalesce("route", "url_path").alias("route"))


def _without_sure_ids(path: pl.Expr) -> pl.Expr:
    """Put slots for what can be nothing but an id: that leaves few paths of a site with millions of orders."""
    trimmed = path.str.replace(r";.*", "").str.replace(r"(.)/+\z", "${1}")
    once = trimmed.str.replace_all(_SURE_IDS, f"/{ID_SLOT}${{1}}${{2}}")
    return once.str.replace_all(_SURE_IDS, f"/{ID_SLOT}${{1}}${{2}}")


def _templates(paths: list[str], views: list[int]) -> list[str]:
    root = _Node()
    parts = [path.split("/")[1:] if path.startswith("/") else [path] for path in paths]
    for number, (segments, count) in enumerate(zip(parts, views, strict=True)):
        node = root
        for segment in segments:
            node = node.children.setdefault(segment, _Node())
            node.views += count
        node.members.append(number)
    found = list(paths)
    _name(root, "", found, is_root=True)
    # A path that is no path (about:blank) has no slash to begin with.
    return [
        template if path.startswith("/") else path for path, template in zip(paths, found, strict=True)
    ]  # fmt: skip


def _name(node: _Node, prefix: str, found: list[str], *, is_root: bool) -> None:
    """Write the template of all that lies below a place, level by level."""
    slots = _slots_of(node, is_root=is_root)
    merged: dict[str, list[_Node]] = defaultdict(list)
    for segment, child in node.children.items():
        merged[slots.get(segment, segment)].append(child)
    for segment, children in merged.items():
        whole = children[0] if len(children) == 1 else _merged(children)
        template = f"{prefix}/{segment}"
        for member in whole.members:
            found[member] = template
        if whole.children:
            _name(whole, template, found, is_root=False)


def _merged(nodes: Iterable[_Node]) -> _Node:
    """Lay the trees below the values of one slot over each other: what follows is then judged by all of them."""
    whole = _Node()
    below: dict[str, list[_Node]] = defaultdict(list)
    for node in nodes:
        whole.views += node.views
        whole.members += node.members
        for segment, child in node.children.items():
            below[segment].append(child)
    whole.children = {
        segment: same[0] if len(same) == 1 else _merged(same) for segment, same in below.items()
    }  # fmt: skip
    return whole


def _slots_of(node: _Node, *, is_root: bool) -> dict[str, str]:
    """Return the children of a place that are values of a slot, and the slot."""
    shapes: dict[str, list[str]] = defaultdict(list)
    for segment in node.children:
        if segment and not segment.startswith("{"):
            shapes[_shape(segment)].append(segment)
    slots: dict[str, str] = {}
    for shape, segments in shapes.items():
        kind, _, ending = shape.partition(":")
        if kind == "id":
            if len(segments) >= MIN_IDS:
                slots |= dict.fromkeys(segments, f"{ID_SLOT}{ending}")
        else:
            slots |= dict.fromkeys(_catalogue(node, segments, is_root=is_root), f"{NAME_SLOT}{ending}")
    return _with_like_ids(node, slots)


def _with_like_ids(node: _Node, slots: dict[str, str]) -> dict[str, str]:
    """Give one slot to ids of which some happen to look like names: of ``ord_8f3k`` and ``ord_kqzw`` both are.

    A name is an id where it begins with the same sign and is as long as an id beside it. Names beside ids that lead to
    the same pages share a slot, called by what most are: a page has one template.
    """
    ids = {segment for segment, slot in slots.items() if slot == ID_SLOT}
    alike = {(sign[0], len(segment)) for segment in ids if (sign := _SIGN.match(segment))}
    like = {
        segment
        for segment in node.children
        if segment not in ids and (sign := _SIGN.match(segment)) and (sign[0], len(segment)) in alike
    }
    ids |= like
    names = {segment for segment, slot in slots.items() if slot == NAME_SLOT} - like
    slots = slots | dict.fromkeys(like, ID_SLOT)
    if ids and names and _leads_to(node, ids) & _leads_to(node, names):
        slots |= dict.fromkeys(ids | names, NAME_SLOT if len(names) > len(ids) else ID_SLOT)
    return slots


def _leads_to(node: _Node, segments: set[str]) -> set[str]:
    """Return what follows some segments; the empty segment where a path ends with one."""
    following = {name for segment in segments for name in node.children[segment].children}
    return following | ({""} if any(node.children[segment].members for segment in segments) else set())


def _shape(segment: str) -> str:
    """Say of what kind a segment is, with its ending: ids, one-word names and names of several words."""
    split = _EXTENSION.fullmatch(segment)
    stem, ending = (split[1], split[2]) if split else (segment, "")
    if _NUMBER.fullmatch(stem):
        return f"id:{ending}"
    sign = _SIGN.match(stem)
    coded = _CODE.fullmatch(stem) or _is_mixed(stem) or (sign and _is_mixed(stem[sign.end() :]))
    if coded and not _ONE_DIGIT.fullmatch(stem):
        return f"id:{ending}"
    return f"words:{ending}" if _MANY_WORDS.search(stem) else f"word:{ending}"


def _is_mixed(stem: str) -> bool:
    """Whether letters and digits are thrown together as in a hash or a short link."""
    if not _MIXED.fullmatch(stem) or "-" in stem or "_" in stem:
        return False
    return sum(sign.isdigit() for sign in stem) >= MIN_DIGIT_SHARE * len(stem)


def _catalogue(node: _Node, segments: list[str], *, is_root: bool) -> list[str]:
    """Return the names under one prefix that are too many to be pages of their own."""
    if len(segments) < (MANY_NAMES_AT_ROOT if is_root else MANY_NAMES):
        return []
    views = sum(node.children[segment].views for segment in segments)
    leads_on = {segment for segment in segments if node.children[segment].children}
    apart = leads_on if len(leads_on) < LEADS_ON_SHARE * len(segments) else set()
    if is_root:
        apart |= {segment for segment in segments if node.children[segment].views >= OWN_PAGE_SHARE * views}
    return [segment for segment in segments if segment not in apart]
