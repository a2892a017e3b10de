"""Ctrl-C, SIGTERM and SIGHUP end the program in the same way, once and within seconds."""

from __future__ import annotations

import os
import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 10  # seconds for the way out; what has not ended by then is cut off


class Stopped(KeyboardInterrupt):
    """A signal asked the program to end."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number

    @property
    def code(self) -> int:
        """The exit code that shells expect: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + self.number


def stop_on_signals() -> None:
    """From now on the first of `SIGNALS` raises `Stopped`, and those that follow are
    ignored.

    A signal that is ignored already stays so (nohup). The process ends after `GRACE`
    seconds even where the exception is lost, for example in a destructor.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + number))
    signal.alarm(GRACE)
    raise Stopped(number)
