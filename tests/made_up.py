"""Claims made up for the tests of the command line; workers import them by the name of
this module.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
import threading

from ibcore.claims import Claim
from ibcore.evidence import Check, Control, Evidence


def steps(experiment):
    """The three steps of a claim whose `experiment(setting, **sizes)` gives its
    evidence.
    """
    return {
        "draw": lambda _setting, **sizes: sizes,
        "measure": lambda sizes, setting: experiment(setting, **sizes),
        "judge": lambda evidence: evidence,
    }


def made_up(experiment):
    return Claim(
        experiment.__name__.replace("_", "-"),
        "introduction",
        "theorem",
        "nobody",
        "It holds.",
        {preset: {"runs": 1} for preset in ("quick", "book", "full")},
        **steps(experiment),
    )


ABOUT = {"tag": "proved", "reason": "made up"}


def evidence(measured=1.0, control=2.0, over_seeds=None, **more):
    about = {**ABOUT, "over_seeds": over_seeds}
    return Evidence(
        (Check.each("equal", measured, equals=1, atol=0.1, **about),),
        Control("broken", Check.each("gap", control, at_least=1, **ABOUT)),
        **more,
    )


def started():
    print("started", file=sys.stderr, flush=True)


@made_up
def holding(setting, *, runs):  # noqa: ARG001 - the sizes of a claim are passed by name
    return evidence()


@made_up
def also_holding(setting, *, runs):  # noqa: ARG001
    print("a claim may print")
    return evidence()


@made_up
def failing(setting, *, runs):  # noqa: ARG001
    return evidence(measured=2)


@made_up
def unrefuted(setting, *, runs):  # noqa: ARG001
    return evidence(control=0)


@made_up
def raising(setting, *, runs):  # noqa: ARG001
    raise ZeroDivisionError("no steps")


@made_up
def not_a_number(setting, *, runs):  # noqa: ARG001
    return evidence(measured=math.nan, control=math.inf)


@made_up
def breaking(setting, *, runs):  # noqa: ARG001
    return evidence(measured=math.nan, broken=("problem 3: singular matrix",))


@made_up
def sized(setting, *, runs):  # noqa: ARG001
    return evidence(measured=runs)


@made_up
def fails_at_odd_seeds(setting, *, runs):  # noqa: ARG001
    return evidence(measured=1.05 + setting.seed % 2, over_seeds=0.99)


@made_up
def dies_at_seed_1(setting, *, runs):  # noqa: ARG001
    if setting.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return evidence(over_seeds=0.99)


@made_up
def waiting(setting, *, runs):  # noqa: ARG001
    started()
    threading.Event().wait()


@made_up
def stubborn(setting, *, runs):  # noqa: ARG001
    """In a call of C that never gives Python's lock back, as a solver may be."""
    started()
    ctypes.PyDLL(None).pause()


@made_up
def dying(setting, *, runs):  # noqa: ARG001
    os.kill(os.getpid(), signal.SIGKILL)


CLAIMS = {
    claim.id: claim for claim in list(globals().values()) if isinstance(claim, Claim)
}


def named(*identifiers):
    return {name: CLAIMS[name] for name in identifiers}
