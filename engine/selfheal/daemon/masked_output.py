"""What leaves the process without going through the record: log lines, tracebacks, messages."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

from selfheal.masking import Secrets
from selfheal.ports import JSON, Notifier
from selfheal.printable import printable


class MaskedNotifier:
    """Implements `ports.Notifier` on another one: nobody is told a secret."""

    def __init__(self, notifier: Notifier, secrets: Secrets) -> None:
        self._notifier = notifier
        self._secrets = secrets

    async def notify(self, subject: str, body: str, data: JSON) -> None:
        """See `ports.Notifier.notify`."""
        mask = self._secrets.mask
        await self._notifier.notify(mask(subject), mask(body), mask(data))

    def post(self, subject: str, body: str, data: JSON) -> None:
        """See `ports.Notifier.post`."""
        mask = self._secrets.mask
        self._notifier.post(mask(subject), mask(body), mask(data))

    def start(self) -> None:
        """Take up what an earlier engine has left undelivered."""
        if start := getattr(self._notifier, "start", None):
            start()

    async def drain(self) -> None:
        """Return when everybody was told."""
        if drain := getattr(self._notifier, "drain", None):
            await drain()


class MaskingFilter(logging.Filter):
    """Keeps secrets out of whatever handles a log record after it."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Blot out secrets, and control characters of the message."""
        text = record.getMessage()
        if (masked := printable(self._secrets.mask(text))) != text:
            record.msg, record.args = masked, None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_text = self._secrets.mask(record.exc_text)
        record.stack_info = self._secrets.mask(record.stack_info)
        return True


def mask_process(secrets: Secrets) -> None:
    """Mask every log record at its making, whoever handles it, and what ends a thread or us."""
    masking, make = MaskingFilter(secrets), logging.getLogRecordFactory()

    def masked(*args: Any, **given: Any) -> logging.LogRecord:
        record = make(*args, **given)
        masking.filter(record)
        return record

    def told(
        kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        print(secrets.mask(text), end="", file=sys.stderr)

    logging.setLogRecordFactory(masked)
    sys.excepthook = told
    threading.excepthook = lambda args: told(args.exc_type, args.exc_value, args.exc_traceback)
