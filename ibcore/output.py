"""What the program prints: results on standard output, sentences on standard error."""

from __future__ import annotations

import contextlib
import os
import sys


class NoOutput(OSError):
    """Standard output takes nothing more: its reader has gone, or its disk is full."""

    @property
    def closed(self) -> bool:
        """The reader has gone, which is no fault where it has read enough."""
        return isinstance(self.__cause__, BrokenPipeError)


def put(text: str) -> None:
    """Print a result at once; raises `NoOutput` where that is impossible."""
    try:
        print(text, flush=True)
    except OSError as error:
        raise NoOutput(error.strerror or str(error)) from error


def say(sentence: str) -> None:
    """Print a sentence about the run, if anybody can still read it."""
    with contextlib.suppress(OSError):
        print(f"ibcore: {sentence}", file=sys.stderr, flush=True)


def open_standard_streams() -> None:
    """Open those of the descriptors 0, 1 and 2 that are closed, so that no file or pipe
    takes the place of one.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free
    # Python found these closed and took None for them.
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def flush() -> None:
    """Write out what is left; where that is impossible, Python must not try again at
    its end.
    """
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
