"""``python -m prodintel_lib.faults --config proxies.json``: prints the API's URL when ready, runs until a signal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from prodintel_lib.errors import ProdintelError
from prodintel_lib.faults.config import load_proxies
from prodintel_lib.faults.server import run_server


def main(arguments: list[str] | None = None) -> int:
    """Run the fault server and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m prodintel_lib.faults", description=__doc__)
    parser.add_argument("--config", type=Path, help="a JSON list of proxies; without it, start with none")
    parser.add_argument("--host", default="127.0.0.1", help="where the API listens (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8474, help="its port, 0 for any (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        proxies = load_proxies(options.config) if options.config else ()
        run_server(proxies, options.host, options.port, _say_ready)
    except ProdintelError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _say_ready(api_url: str) -> None:
    sys.stdout.write(f"{api_url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
