"""Run a module as ``python -m`` does, and stop when the parent is gone: ``python -m demo.leash MODULE [ARGUMENT...]``.

The parent holds the other end of standard input. When it ends for whatever reason, even by SIGKILL, the kernel closes
that end, and the process stops as if it had been asked to: no process of the shop outlives the command that made it.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
from typing import Final

GRACE_S: Final = 8.0


def main() -> None:
    """Run the module named by the first argument."""
    threading.Thread(target=_stop_with_parent, name="leash", daemon=True).start()
    module = sys.argv[1]
    del sys.argv[0]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _stop_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main()
