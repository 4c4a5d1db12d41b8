"""The package a frame belongs to: what a team would call the component."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prodintel_lib.analyses.stack_traces.keys import FOLDERS_OF_ALL, function_name

if TYPE_CHECKING:
    from prodintel_lib.analyses.stack_traces.model import StackFrame

_VERSION: Final = re.compile(r"^v?[0-9][0-9._-]*$|^[0-9a-f]{7,}$")


def package_of(frame: StackFrame, language: str) -> str:
    r"""Return the package, namespace or folder of a frame; empty where the trace does not tell.

    Examples
    --------
    >>> from prodintel_lib.analyses.stack_traces.model import StackFrame
    >>> package_of(StackFrame("github.com/shop/pay/charge.(*Client).Charge", "charge/client.go"), "go")
    'github.com/shop/pay/charge'
    >>> package_of(StackFrame("App\\Tax->price", "/var/www/src/Tax.php"), "php")
    'App'
    >>> package_of(StackFrame("price", "/srv/releases/20250929/orders/src/tax.py"), "python")
    'orders'
    """
    name = function_name(frame.function, language)
    if language == "jvm":
        return (
            re.split(r"\.(?=[A-Z])|\$", name, maxsplit=1)[0] if re.search(r"\.[A-Z]", name) else name.rpartition(".")[0]
        )
    if language == "dotnet":
        return ".".join(name.split(".")[:-2])
    if language == "go" and name:
        folder, slash, rest = name.rpartition("/")
        return f"{folder}{slash}{rest.partition('.')[0]}"
    if language == "php" and "\\" in name:
        return re.split(r"->|::", name)[0].rpartition("\\")[0]
    folders = [part for part in frame.path.split("/")[:-1] if part not in {"", "."}]
    telling = (part for part in reversed(folders) if part.lower() not in FOLDERS_OF_ALL and not _VERSION.match(part))
    return next(telling, "")
