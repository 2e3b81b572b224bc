"""Exit codes, and how an error becomes one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import click

from selfheal.errors import InputError, NotFoundError, SelfhealError
from selfheal.model import Outcome

OK = 0
FAILED = 1
USAGE = 2
REFUSED = 10
NEEDS_APPROVAL = 11
ROLLED_BACK = 12
ROLLBACK_FAILED = 13
INTERRUPTED = 130

OUTCOME_EXITS = {
    Outcome.HEALED: OK,
    Outcome.FAILED: FAILED,
    Outcome.UNKNOWN: FAILED,
    Outcome.REFUSED: REFUSED,
    Outcome.DENIED: NEEDS_APPROVAL,
    Outcome.EXPIRED: NEEDS_APPROVAL,
    Outcome.ROLLED_BACK: ROLLED_BACK,
    Outcome.ROLLBACK_FAILED: ROLLBACK_FAILED,
}
"""What a program that called selfheal can tell from its exit code alone."""


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
    click.echo(f"error: {error}", err=True)
