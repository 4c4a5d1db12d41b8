"""The mark that whole-file templates use, so that they are correct Python before they are filled."""

from typing import NoReturn


def SLOT(name: str) -> NoReturn:  # noqa: N802 - it has to be seen in a template
    """Stand where a literal goes; rendering takes it away together with its import."""
    raise NotImplementedError(name)
