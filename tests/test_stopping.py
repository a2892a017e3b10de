import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "import os, signal, sys; from ibcore import stopping; stopping.GRACE = 1\n"
START = "stopping.stop_on_signals()\n"
RAISE = "os.kill(os.getpid(), signal.{})\n"


def run(code):
    """Run a program of a few lines; what hangs is cut off, and fails the test."""
    command = [sys.executable, "-c", BEGIN + code]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize(
    ("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)]
)
def test_a_signal_raises_and_those_that_follow_are_ignored(name, code):
    again = "".join("    " + RAISE.format(each) for each in ("SIGINT", "SIGTERM"))
    done = run(
        f"{START}try:\n    {RAISE.format(name)}except KeyboardInterrupt as "
        f"stop:\n{again}    sys.exit(stop.code)"
    )
    assert (done.returncode, done.stderr) == (code, "")


def test_an_exception_that_is_lost_ends_the_program_all_the_same():
    swallow = f"try:\n    {RAISE.format('SIGINT')}except KeyboardInterrupt: pass\n"
    assert run(f"{START}{swallow}while True: pass").returncode == 130


def test_what_nohup_ignores_stays_ignored():
    ignore = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    assert run(ignore + START + RAISE.format("SIGHUP")).returncode == 0


def test_the_signals_are_those_that_end_a_program():
    from ibcore import stopping

    assert set(stopping.SIGNALS) == {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
