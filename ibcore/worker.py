"""A process that runs claims for the command line: jobs come in on standard input,
answers go out.

A job and an answer are one line of JSON each. The process ends with the one that
started it, also where that one is killed: then its standard input ends, and on Linux
the kernel ends it as well.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
from typing import NoReturn

PR_SET_PDEATHSIG = 1
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from ibcore.worker "
    "import main; main(int(sys.argv[2]))"
)


def command() -> list[str]:
    """The command line that starts a worker with the modules that this process sees."""
    paths = json.dumps(sys.path)
    return [sys.executable, "-P", "-c", START, paths, str(os.getpid())]


def main(parent: int) -> NoReturn:
    """Run jobs until the process `parent`, which started this one, closes the pipe or
    ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _end_with(parent)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a claim prints must not mix with the answers
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    from ibcore import verify  # noqa: PLC0415 - takes seconds, while the thread watches

    verify.single_thread()
    while True:
        answer = verify.run_job(verify.Job(**json.loads(jobs.get())))
        answers.write(json.dumps(answer, allow_nan=False) + "\n")
        answers.flush()


def _listen(jobs: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def _end_with(parent: int) -> None:
    """Ask the Linux kernel to end this process with `parent`, even within a long call
    that holds Python's lock.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
