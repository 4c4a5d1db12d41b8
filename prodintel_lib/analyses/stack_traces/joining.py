"""Traces that are parts of one another: one of which less is left joins the group that it agrees with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.stack_traces.keys import class_key, digest, mask_digits, stack_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prodintel_lib.analyses.stack_traces.model import Trace

LIBRARY_FRAMES: Final = 3
"""So many frames tell apart traces in which nothing is one's own: those further out change with the framework."""
_LIBRARY: Final = "(library)"


@dataclass(frozen=True, slots=True)
class Signature:
    """What of a trace decides on its group.

    Attributes
    ----------
    error_class : str
        Of the root cause, without package; empty where unknown. With the message where no frame names a function.
    keys : tuple of str
        Of its own frames, where it was thrown first; of all, after ``(library)``, where none is its own.
    lead : tuple of str
        Keys of the library's frames above the first of its own.
    lacks_throw : bool
        The end nearest the error is missing.
    """

    error_class: str
    keys: tuple[str, ...]
    lead: tuple[str, ...] = ()
    lacks_throw: bool = False

    @classmethod
    def of(cls, trace: Trace, *, error_type: str = "") -> Signature:
        """Return the signature of a trace; `error_type` counts where the trace itself names no class."""
        named = class_key(trace.root.error_type or error_type)
        own = stack_keys(trace, in_app=True)
        if own and trace.language == "javascript" and not any(" " in key for key in own):
            # A shortened build names no function, and all of it is one file: the words are what is left to tell by.
            named = f"{named}: {mask_digits(trace.root.message)}"
        if own:
            every = stack_keys(trace, in_app=False)
            return cls(named, own, every[: every.index(own[0])][:LIBRARY_FRAMES], trace.cut == "inner")
        keys = stack_keys(trace, in_app=False)[:LIBRARY_FRAMES]
        return cls(named, (_LIBRARY, *keys), (), trace.cut == "inner")

    @property
    def is_library(self) -> bool:
        """No frame is the service's own."""
        return self.keys[:1] == (_LIBRARY,)

    @property
    def fingerprint(self) -> str:
        """The id the signature has by itself: the same in every release, on every day."""
        return digest(self.error_class, (*self.keys, "(cut)") if self.lacks_throw else self.keys)


def join_parts(signatures: Iterable[Signature]) -> dict[Signature, Signature]:
    """Say for each signature which one's group it belongs to: itself, or the only one that it is a part of.

    Notes
    -----
    A part is a stack whose callers are missing (it begins another of the same class), one whose throw is missing (it
    ends another), one without a class, or one of a library alone (it begins the library's frames above another). A part
    that fits several which differ from one another keeps its own group: it cannot be told whose it is. What is decided
    depends on the set of signatures alone, not on their order or number.
    """
    every = sorted(set(signatures), key=lambda one: (one.error_class, one.keys, one.lead, one.lacks_throw))
    target = {one: one for one in every}
    whole = [one for one in every if not one.is_library and not one.lacks_throw and one.error_class]
    target |= _join_beginnings(whole)
    ends = _by_ending(whole)
    leads = _by_lead(whole)
    for one in every:
        if one.is_library:
            fits = leads.get((one.error_class, one.keys[1:]), set())
        elif one.lacks_throw or not one.error_class:
            fits = {other for other in ends.get(one.keys, set()) if one.error_class in {"", other.error_class}}
            if not one.lacks_throw:
                fits = {other for other in fits if other.keys[: len(one.keys)] == one.keys}
        else:
            continue
        groups = {(target[other].error_class, target[other].keys) for other in fits}
        if len(groups) == 1:
            target[one] = target[min(fits, key=lambda other: (other.keys, other.lead))]
    return target


def _join_beginnings(whole: list[Signature]) -> dict[Signature, Signature]:
    """Join each stack to the only longest one that it begins; stacks that differ in their lead alone are one."""
    longest: dict[tuple[str, tuple[str, ...]], set[tuple[str, ...]]] = defaultdict(set)
    known = {(one.error_class, one.keys) for one in whole}
    begins = {(name, keys[:size]) for name, keys in known for size in range(1, len(keys))}
    for name, keys in known - begins:
        for size in range(1, len(keys) + 1):
            longest[name, keys[:size]].add(keys)
    first: dict[tuple[str, tuple[str, ...]], Signature] = {}
    for one in whole:
        first.setdefault((one.error_class, one.keys), one)
    joined = {}
    for one in whole:
        over = longest[one.error_class, one.keys]
        keys = next(iter(over)) if len(over) == 1 else one.keys
        joined[one] = first[one.error_class, keys]
    return joined


def _by_ending(whole: Iterable[Signature]) -> Mapping[tuple[str, ...], set[Signature]]:
    ends: dict[tuple[str, ...], set[Signature]] = defaultdict(set)
    for one in whole:
        for at in range(len(one.keys)):
            ends[one.keys[at:]].add(one)
    return ends


def _by_lead(whole: Iterable[Signature]) -> Mapping[tuple[str, tuple[str, ...]], set[Signature]]:
    leads: dict[tuple[str, tuple[str, ...]], set[Signature]] = defaultdict(set)
    for one in whole:
        for size in range(1, len(one.lead) + 1):
            leads[one.error_class, one.lead[:size]].add(one)
    return leads
