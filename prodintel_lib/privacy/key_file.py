"""The workspace's key: made once, kept beside the lake, never written anywhere else."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import ParameterError
from prodintel_lib.privacy.keyed import KEY_BYTES

if TYPE_CHECKING:
    from pathlib import Path

KEY_FILE: Final = ".privacy-key"
_OWNER_ONLY: Final = 0o600


def read_or_create_key(folder: Path) -> bytes:
    """Return the key in a folder; make it if there is none.

    Two processes that start at once get the same key: a complete file is linked to its name, which only one can do.

    Parameters
    ----------
    folder : Path
        The lake's folder, which is not under version control.

    Raises
    ------
    ParameterError
        If the key cannot be read or written, or the file holds something else.
    """
    file = folder / KEY_FILE
    try:
        if not file.exists():
            _create(file)
        key = file.read_bytes()
    except OSError as error:
        raise ParameterError(
            f"The privacy key {file} can be neither read nor made: {error.strerror}.",
            hint="make the lake's folder readable and writable for you.",
        ) from error
    if len(key) != KEY_BYTES:
        raise ParameterError(
            f"The privacy key {file} has {len(key)} bytes instead of {KEY_BYTES}.",
            hint="restore it from a copy, or remove it: a new key gives new pseudonyms.",
        )
    return key


def _create(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{KEY_FILE}.{os.getpid()}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
