"""Small problems on one thread; afterwards the caller's own setting.

The problems of this package are small: several threads spend their time waiting for
each other, on a busy machine nearly all of it. The package's own calls therefore run
under `threads()`, which limits PyTorch, BLAS and OpenMP to one thread and gives the
caller's numbers back, also after an error. Importing the package changes nothing.

    from ibcore.threads import threads

    with threads(4):
        flow(model, loss, start, log_loss=-1e6)

The environment variable IBCORE_THREADS says how many threads the package's own calls
take: 1 unless set, 0 for as many as the caller has. The number of an enclosing
`threads(n)` comes first.

What is limited belongs to the calling Python thread, except most BLAS libraries, which
have one number for the process: while a call runs, BLAS in other Python threads shares
its limit, and where calls overlap, the one that set the limit gives it back when it
ends.
Apple's Accelerate has no such setting.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from contextlib import AbstractContextManager, ContextDecorator

import torch
from threadpoolctl import LibController, ThreadpoolController

from ibcore.validation import InvalidInput

VARIABLE = "IBCORE_THREADS"
_MKL = re.compile(r"mkl_get_max_threads\(\) : (\d+)")


def threads(number: int | None = None) -> Threads:
    """A context manager and decorator: at most `number` threads inside, for PyTorch,
    BLAS and OpenMP.

    number: 0 leaves the caller's setting alone; None takes that of the enclosing
        `threads`, and without one that of IBCORE_THREADS (default 1).

    Nested uses cost about a microsecond, the outermost some tens. Raises `InvalidInput`
    for a number below 0 or no integer, on entering also for such an IBCORE_THREADS.
    """
    if number is not None and (
        isinstance(number, bool) or not isinstance(number, int) or number < 0
    ):
        raise InvalidInput(
            f"number of threads is {number!r}, expected an integer of at least 0. Pass "
            "1, or 0 to leave the setting alone."
        )
    return Threads(number)


class Threads(ContextDecorator):
    """What `threads` returns; one object may be entered many times, from any thread."""

    def __init__(self, number: int | None) -> None:
        self.number = number

    def __enter__(self) -> None:
        numbers = _here.numbers
        number = self.number
        if number is None:
            number = numbers[-1] if numbers else _default()
        changed = not numbers or number != numbers[-1] or _libraries.outdated
        numbers.append(number)
        if changed:
            try:
                _here.limit(number)
            except BaseException:
                self.__exit__()
                raise

    def __exit__(self, *_: object) -> None:
        numbers = _here.numbers
        left = numbers.pop()
        outer = numbers[-1] if numbers else 0
        if outer != left:
            _here.limit(outer)


def _default() -> int:
    text = os.environ.get(VARIABLE, "1")
    if not text.isdecimal():
        raise InvalidInput(
            f"{VARIABLE} is {text!r}, expected an integer of at least 0. Set it to 1, "
            "to 0 to leave the caller's setting alone, or unset it."
        )
    return int(text)


class _Libraries:
    """The loaded libraries that have threads; looked up again only after an import."""

    def __init__(self) -> None:
        self._modules = 0
        self._controller = ThreadpoolController().select(user_api=[])

    @property
    def outdated(self) -> bool:
        """Whether something was imported since the last look, and may have brought a
        library.
        """
        return len(sys.modules) != self._modules

    def look(self) -> None:
        """Find what has been loaded meanwhile."""
        if self.outdated:
            self._modules = len(sys.modules)
            self._controller = ThreadpoolController()

    @property
    def openmp(self) -> list[LibController]:
        """Those whose number belongs to a Python thread."""
        return self._controller.select(user_api="openmp").lib_controllers

    @property
    def blas(self) -> list[LibController]:
        """Those whose number is the process's; a BLAS on OpenMP takes the number of
        OpenMP.
        """
        found = self._controller.select(user_api="blas").lib_controllers
        return [lib for lib in found if getattr(lib, "threading_layer", "") != "openmp"]

    def control(self) -> AbstractContextManager[object]:
        """What makes threadpoolctl let other Python threads set limits once this one
        has left.
        """
        return self._controller.select(user_api=[]).limit()


class _Pools:
    """Libraries under a limit, with the numbers that they had before.

    recorded: the files of those that somebody will restore, shared by all whose limits
    meet.
    """

    def __init__(self, recorded: set[str]) -> None:
        self._recorded = recorded
        self._before: list[tuple[LibController, int]] = []

    def limit(self, libraries: list[LibController], number: int) -> None:
        """Set `number` where it is not set; threadpoolctl may refuse while another
        thread is in control.
        """
        for lib in libraries:
            before = lib.num_threads
            if before == number:
                continue
            lib.set_num_threads(number)
            if lib.num_threads != before and lib.filepath not in self._recorded:
                self._recorded.add(lib.filepath)
                self._before.append((lib, before))

    def restore(self) -> None:
        """Set what was there before the first limit."""
        for lib, before in self._before:
            lib.set_num_threads(before)
            self._recorded.discard(lib.filepath)
        self._before.clear()


class _Here(threading.local):
    """The limits of one Python thread: the numbers of its nested uses, outermost first."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._openmp, self._blas = _Pools(set()), _Pools(_recorded)
        self._control: AbstractContextManager[object] | None = None
        self._torch = 0

    def limit(self, number: int) -> None:
        """At most `number` threads from now on; 0 restores what this thread and the
        process had.
        """
        with _lock:
            _libraries.look()
            if number:
                self._limit(number)
            else:
                self._restore()

    def _limit(self, number: int) -> None:
        before = torch.get_num_threads()  # a new thread takes its setting here
        if self._control is None:
            self._control = _libraries.control()
            self._control.__enter__()
        self._blas.limit(_libraries.blas, number)
        self._openmp.limit(_libraries.openmp, number)
        if self._torch or not _torch_takes(number):
            self._torch = self._torch or before
            torch.set_num_threads(number)
            _elsewhere(self._torch)

    def _restore(self) -> None:
        self._blas.restore()
        if self._torch:
            torch.set_num_threads(self._torch)
            self._torch = 0
        self._openmp.restore()
        if self._control is not None:
            self._control.__exit__(None, None, None)
            self._control = None


def _torch_takes(number: int) -> bool:
    """PyTorch asks OpenMP, unless `torch.set_num_threads` gave its MKL a number of its
    own.
    """
    mkl = _MKL.search(torch.__config__.parallel_info())
    return torch.get_num_threads() <= number and (not mkl or int(mkl[1]) <= number)


def _elsewhere(number: int) -> None:
    """Threads that start later have `number`: PyTorch gives them what was set last, in
    any thread.
    """
    thread = threading.Thread(target=torch.set_num_threads, args=(number,))
    thread.start()
    thread.join()


_lock = threading.Lock()
_libraries = _Libraries()
_recorded: set[str] = set()
_here = _Here()
