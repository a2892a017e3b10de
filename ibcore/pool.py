"""Worker processes of which any may die, and which all end with this process."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import subprocess
from collections.abc import Generator, Iterable
from dataclasses import asdict
from typing import IO, Any, cast

from ibcore import worker
from ibcore.ledger import Job


def run_all(
    jobs: Iterable[Job], workers: int
) -> Generator[tuple[Job, dict[str, Any] | str], None, None]:
    """Each job with what `verify.run_job` gives, as they finish; closing the iterator
    ends all workers.

    Where a worker dies, its job comes with a sentence, and a new worker takes its
    place.
    """
    waiting = list(jobs)[::-1]
    busy: list[_Worker] = []
    try:
        while waiting and len(busy) < workers:
            busy.append(_Worker(waiting.pop()))
        while busy:
            for ready in select.select(busy, [], [])[0]:
                answer = ready.answer()
                yield ready.job, answer  # is kept before anything new begins
                if waiting and not ready.dead:
                    ready.take(waiting.pop())
                    continue
                busy.remove(ready)
                ready.end()
                if waiting:
                    busy.append(_Worker(waiting.pop()))
    finally:
        for each in busy:
            each.end()


class _Worker:
    dead = False

    def __init__(self, job: Job) -> None:
        # Blocked here and hence in the worker, Ctrl-C cannot end it while it starts.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                worker.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._jobs = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        self.take(job)

    def take(self, job: Job) -> None:
        self.job = job
        with contextlib.suppress(BrokenPipeError):  # a dead worker gives no answer
            self._jobs.write(json.dumps(asdict(job)).encode() + b"\n")
            self._jobs.flush()

    def fileno(self) -> int:
        return self._answers.fileno()

    def answer(self) -> dict[str, Any] | str:
        """What the worker found, or how it ended."""
        line = self._answers.readline()
        if line.endswith(b"\n"):
            found: dict[str, Any] | str = json.loads(line)
            return found
        self.dead = True
        code = self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return (
            f"the process that ran it ended ({how}); where memory was short, use fewer "
            "--workers, and run it again with --resume"
        )

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._answers.close()
        with contextlib.suppress(OSError):
            self._jobs.close()
