"""The program `ibcore`; its command line is `ibcore.command_line`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ibcore.output import flush, open_standard_streams, say
from ibcore.stopping import Stopped, stop_on_signals


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; signals end it at any time."""
    stop_on_signals()
    open_standard_streams()
    try:
        # Takes seconds, in which Ctrl-C must not end in a traceback either.
        from ibcore.command_line import run  # noqa: PLC0415

        return run(arguments)
    except Stopped as stop:
        say("stopped.")
        return stop.code
    finally:
        flush()


if __name__ == "__main__":
    sys.exit(main())
