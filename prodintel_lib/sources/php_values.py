"""Values as PHP's ``serialize`` writes them, read without making objects: what a database column of PHP holds.

``a:1:{s:5:"@name";s:3:"ann";}`` is an array of one text. An object becomes a dict of its properties, with its class
under ``__class__``; a reference to another value becomes None. Lengths count bytes. The format is described at
https://www.phpinternalsbook.com/php5/classes_objects/serialization.html.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prodintel_lib.sources.model import Json

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 10_000
_SCALAR: Final = re.compile(rb"(?:N;|([bidrR]):([^;{}\"]{1,40});)")
_COUNTED: Final = re.compile(rb"([saOCE]):([0-9]{1,9}):")


def read_php_value(content: bytes) -> Json:
    """Return a serialised value as JSON has it; arrays with the keys 0, 1, 2, ... become lists.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    None, bool, int, float, str, list or dict

    Raises
    ------
    ValueError
        If it is no serialised value, nested deeper than MAX_DEPTH, or of more than MAX_VALUES values.

    Examples
    --------
    >>> read_php_value(b'a:2:{s:5:"@name";s:3:"ann";s:5:"%line";i:12;}')
    {'@name': 'ann', '%line': 12}
    >>> read_php_value(b'a:2:{i:0;b:1;i:1;N;}')
    [True, None]
    """
    reader = _Reader(content)
    value = reader.value(0)
    if reader.place != len(content.rstrip()):
        raise ValueError(f"more than a value: {content[reader.place : reader.place + 20]!r}")
    return value


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._left = MAX_VALUES
        self.place = 0

    def value(self, depth: int) -> Json:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise ValueError("nested too deep, or too many values")
        if found := _SCALAR.match(self._content, self.place):
            self.place = found.end()
            return _scalar(found[1], found[2])
        found = _COUNTED.match(self._content, self.place)
        if found is None:
            raise ValueError(f"no PHP value: {self._content[self.place : self.place + 20]!r}")
        kind, count = found[1], int(found[2])
        self.place = found.end()
        if kind in {b"s", b"E"}:
            return self._text(count, b";")
        if kind == b"a":
            return self._array(count, depth)
        name = self._text(count, b":")
        return {"__class__": name, **self._properties(kind, depth)}

    def _text(self, count: int, after: bytes) -> str:
        start = self.place + 1
        end = start + count
        if self._content[self.place : start] != b'"' or self._content[end : end + 2] != b'"' + after:
            raise ValueError("a text of another length than it says")
        self.place = end + 2
        return self._content[start:end].decode(errors="replace")

    def _array(self, count: int, depth: int) -> Json:
        items = self._items(count, depth)
        return list(items.values()) if list(items) == [str(place) for place in range(count)] else items

    def _properties(self, kind: bytes, depth: int) -> dict[str, Json]:
        found = re.compile(rb"([0-9]{1,9}):").match(self._content, self.place)
        if found is None:
            raise ValueError("an object without a size")
        count, self.place = int(found[1]), found.end()
        if kind == b"C":
            # The class wrote this itself, in a way of its own.
            end = self.place + 1 + count
            if self._content[end : end + 1] != b"}":
                raise ValueError("an object of another length than it says")
            self.place = end + 1
            return {}
        return {name.rsplit("\0", 1)[-1]: value for name, value in self._items(count, depth).items()}

    def _items(self, count: int, depth: int) -> dict[str, Json]:
        self._expect(b"{")
        items: dict[str, Json] = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                raise ValueError("an array's key that is no text and no number")  # noqa: TRY004 - of the content
            items[str(key)] = self.value(depth + 1)
        self._expect(b"}")
        return items

    def _expect(self, sign: bytes) -> None:
        if self._content[self.place : self.place + 1] != sign:
            raise ValueError(f"no {sign!r} at byte {self.place}")
        self.place += 1


def _scalar(kind: bytes | None, text: bytes | None) -> Json:
    if kind is None or text is None or kind in b"rR":
        return None
    if kind == b"b":
        return text == b"1"
    if kind == b"i":
        return int(text)
    number = float(text.replace(b"INF", b"inf").replace(b"NAN", b"nan"))
    return number if math.isfinite(number) else text.decode()
