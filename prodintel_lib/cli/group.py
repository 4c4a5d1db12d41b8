"""The command `prodintel` itself, and how its verbs end: in a message and an exit code."""

from __future__ import annotations

import errno
import sys

import click

from prodintel_lib import __version__
from prodintel_lib.errors import ParameterError, ProdintelError
from prodintel_lib.terminal import printable


class FriendlyGroup(click.Group):
    """A group whose commands end in a message and an exit code instead of a traceback, and that guesses near names."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; 2 is the user's mistake, 1 a failure, 130 an interruption."""
        try:
            return super().invoke(ctx)
        except ProdintelError as error:
            _complain(f"prodintel: {error}")
            sys.exit(error.exit_code)
        except OSError as error:
            # Who closed the pipe (`| head`) is no failure, and click knows what to do.
            if error.errno == errno.EPIPE:
                raise
            _complain(f"prodintel: the system refused: {error}.\nHint: make room or give the right there.")
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("prodintel: stopped.", err=True)
            sys.exit(130)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest verb where one is mistyped."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise ParameterError.unknown("command", args[0], known=self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def _complain(message: str) -> None:
    """Write to stderr what went wrong; names of production in it cannot steer the terminal."""
    click.echo("\n".join(printable(line) for line in message.split("\n")), err=True)


@click.group(cls=FriendlyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="prodintel")
def main() -> None:
    """Production evidence in; understanding and tests that reproduce it out."""
