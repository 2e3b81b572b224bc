"""How an error becomes one message and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import click

from selfheal.errors import InputError, NotFoundError, SelfhealError
from selfheal.exit_codes import FAILED, INTERRUPTED, OK, USAGE
from selfheal.printable import printable


class Exit(SystemExit):
    """End the command with a code; the message, if any, was already printed."""


@contextlib.contextmanager
def report_errors() -> Iterator[None]:
    """Print each error selfheal raises as one message on stderr and exit with its code."""
    try:
        yield
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except (InputError, NotFoundError) as error:
        _complain(error)
        sys.exit(USAGE)
    except SelfhealError as error:
        _complain(error)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, less) went away: nothing is wrong, and nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)


def _complain(error: SelfhealError) -> None:
    click.echo(printable(f"error: {error}"), err=True)
