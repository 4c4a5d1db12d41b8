"""The command line: one verb a job. Each verb imports what it needs when it runs, so that help is instant."""

from prodintel_lib.cli import errors, health, incidents, journeys, load, monitors, workspaces
from prodintel_lib.cli.group import main

__all__ = ["errors", "health", "incidents", "journeys", "load", "main", "monitors", "workspaces"]
