"""Keep modules that a run never uses from loading: the largest part of its start-up time.

Measured on two cores, Python 3.11: `import papermill` 1.6 s, without ``rfc3987_syntax`` 0.35 s; `import altair` 1.6 s,
without it 0.3 s.
"""

from __future__ import annotations

import sys
from typing import Final

# jsonschema offers format checkers for IRIs where it finds this package, which compiles a grammar on import. Nobody
# asks for that check: notebooks and Vega-Lite specifications are validated without a format checker. jsonschema imports
# it under `suppress(ImportError)`, and a None in `sys.modules` is how Python says "do not look for it".
_HOST: Final = ("rfc3987_syntax",)
# A kernel that no person types into needs neither a debugger nor completion.
_KERNEL: Final = (*_HOST, "debugpy", "jedi")


def skip_slow_imports(*, unattended_kernel: bool = False) -> None:
    """Make optional, slow modules unavailable to this process; call it before altair, nbformat or papermill load.

    A module that is loaded already stays as it is. Calling it again changes nothing.

    Parameters
    ----------
    unattended_kernel : bool
        Also skip what a kernel needs only for a person in front of it.

    Examples
    --------
    >>> skip_slow_imports()
    >>> import jsonschema
    """
    for name in _KERNEL if unattended_kernel else _HOST:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
