"""Which format of logs a file has, where its keys do not tell: tables and text."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from prodintel_lib.sources.container_logs import is_container_log
from prodintel_lib.sources.detect import recognise
from prodintel_lib.sources.plain import is_plain
from prodintel_lib.sources.syslog import is_syslog
from prodintel_lib.sources.text_layout import is_text_log
from prodintel_lib.sources.watchdog import is_watchdog_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

# Columns of which an export has all.
_TABLES: Final[Mapping[str, frozenset[str]]] = {
    "splunk": frozenset({"_raw", "_time"}),
    "elasticsearch": frozenset({"@timestamp", "message"}),
}


def recognise_file(head: bytes) -> str | None:
    r"""Return the format of a file, or None where it is none we read.

    What names itself comes first, then what people keep by hand, and last lines of text, which take the most evidence:
    most of them must have a time at one place, and words after it.

    Parameters
    ----------
    head : bytes
        The beginning of the decompressed content; it may be cut anywhere.

    Examples
    --------
    >>> recognise_file(b"Sep 29 14:20:00 web1 sshd[42]: Failed password for root\n")
    'syslog'
    >>> recognise_file(b"Meeting of 2025-09-29: we should look into the logs.\n") is None
    True
    """
    return recognise(head) or _log_table(head) or ("plain" if is_plain(head) else None) or _text_format(head)


def _log_table(head: bytes) -> str | None:
    """Return the format of a CSV of logs, by its header."""
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0].decode(errors="replace").strip()
    if first[:1] in {"{", "["}:
        return None
    delimiter = max(",;\t|", key=first.count)
    try:
        names = frozenset(name.strip() for name in next(csv.reader(io.StringIO(first), delimiter=delimiter), []))
    except csv.Error:
        return None
    if is_watchdog_entry(names):
        return "watchdog"
    return next((form for form, needed in _TABLES.items() if needed <= names), None)


def _text_format(head: bytes) -> str | None:
    for name, is_of_it in (("container_log", is_container_log), ("syslog", is_syslog), ("text_log", is_text_log)):
        if is_of_it(head):
            return name
    return None
