"""The package's own calls run on one thread, and nothing of that is left afterwards."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.explore import Choice, explore
from ibcore.figures import figure
from ibcore.losses import Exponential
from ibcore.models import Linear
from ibcore.pages.classification.logistic_regression.claims import logistic_max_margin
from ibcore.threads import VARIABLE, threads
from ibcore.validation import InvalidInput

CALLER = 3
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.endswith(("_NUM_THREADS", "_MAXIMUM_THREADS")) and name != VARIABLE
}


def pools() -> dict[str, int]:
    """How many threads this Python thread's next call may take, by library."""
    found = {
        pool["filepath"]: pool["num_threads"]
        for pool in threadpool_info()
        if pool.get("threading_layer") != "disabled"
    }
    return {"torch": torch.get_num_threads(), **found}


@pytest.fixture(autouse=True)
def caller(monkeypatch):
    """A caller who has asked every library for three threads, on any machine."""
    monkeypatch.delenv(VARIABLE, raising=False)
    before = torch.get_num_threads()
    with threadpool_limits(CALLER):
        torch.set_num_threads(CALLER)
        assert set(pools().values()) == {CALLER}
        yield
        assert set(pools().values()) == {CALLER}
    torch.set_num_threads(before)


def test_inside_there_is_one_thread_and_outside_what_the_caller_had():
    with threads():
        assert set(pools().values()) == {1}
        assert "mkl_get_max_threads() : 3" not in torch.__config__.parallel_info()
    assert set(pools().values()) == {CALLER}


def test_an_error_gives_the_setting_back():
    @threads()
    def fails():
        assert set(pools().values()) == {1}
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert set(pools().values()) == {CALLER}


def test_a_number_of_an_enclosing_use_comes_first():
    @threads()
    def own_call():
        return set(pools().values())

    with threads(2):
        assert own_call() == {2}
        with threads(1):
            assert own_call() == {1}
        with threads(0):
            assert own_call() == {CALLER}
        assert own_call() == {2}
    assert own_call() == {1}


@given(st.lists(st.sampled_from([None, 0, 1, 2, 5]), max_size=6))
@settings(max_examples=30, deadline=None)
def test_any_nesting_gives_back_what_each_level_had(numbers):
    def descend(rest):
        before = pools()
        if rest:
            with threads(rest[0]):
                descend(rest[1:])
        assert pools() == before

    descend(numbers)


def test_one_object_may_be_entered_again_while_it_is_entered():
    @threads()
    def factorial(n):
        assert set(pools().values()) == {1}
        return 1 if n == 0 else n * factorial(n - 1)

    assert factorial(5) == 120


def test_a_nested_use_touches_no_library(monkeypatch):
    with threads():
        monkeypatch.setattr(
            "ibcore.threads._Here.limit", lambda *_: pytest.fail("set again")
        )
        with threads(), threads(1):
            pass
        monkeypatch.undo()


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("2", 2), ("0", CALLER)])
def test_the_environment_says_how_many(monkeypatch, text, number):
    monkeypatch.setenv(VARIABLE, text)
    with threads():
        assert set(pools().values()) == {number}
    with threads(4):
        assert set(pools().values()) == {4}


@pytest.mark.parametrize("text", ["", "two", "-1", "1.5"])
def test_a_wrong_environment_is_refused_with_a_remedy(monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    with (
        pytest.raises(InvalidInput, match=r"IBCORE_THREADS is .* Set it to 1"),
        threads(),
    ):
        pass


@pytest.mark.parametrize("number", [-1, 1.0, True, "2"])
def test_a_wrong_number_is_refused_with_a_remedy(number):
    with pytest.raises(InvalidInput, match="Pass 1, or 0"):
        threads(number)


def in_a_thread(task):
    """What `task` returned in a new Python thread."""
    results = []
    thread = threading.Thread(target=lambda: results.append(task()))
    thread.start()
    thread.join(60)
    return results[0]


def test_a_thread_that_starts_meanwhile_has_the_callers_setting():
    with threads():
        assert in_a_thread(torch.get_num_threads) == CALLER
        assert torch.get_num_threads() == 1
    assert in_a_thread(torch.get_num_threads) == CALLER


def overlap():
    """Two Python threads, the first in is the first out: what the second may use inside
    and has afterwards.

    A setting saved by the second would be the limit of the first.
    """
    entered, left, seen = threading.Event(), threading.Event(), []

    def second():
        with threads():
            entered.set()
            left.wait(60)
            seen.append(torch.get_num_threads())
        seen.append(torch.get_num_threads())

    thread = threading.Thread(target=second)
    with threads():
        thread.start()
        entered.wait(60)
    left.set()
    thread.join(60)
    return seen


def test_two_threads_may_overlap():
    assert overlap() == [1, CALLER]


def test_a_claim_and_an_explorer_run_on_one_thread():
    seen = []

    def draw(n):
        seen.append(set(pools().values()))
        return figure()[0], f"{n}."

    explore(draw, title="Threads", n=Choice("n", [1, 2]))
    measure = logistic_max_margin.measure

    def watched(problems, setting):
        seen.append(set(pools().values()))
        return measure(problems, setting)

    object.__setattr__(logistic_max_margin, "measure", watched)
    try:
        logistic_max_margin.verify()
    finally:
        object.__setattr__(logistic_max_margin, "measure", measure)
    assert seen == [{1}, {1}]


class Watched(Linear):
    """A linear model that notes how many threads it is called with."""

    def __init__(self, data):
        super().__init__(data)
        self.seen = set()

    def outputs(self, theta):
        self.seen |= set(pools().values())
        return super().outputs(theta)


def descend_briefly(model, loss, start, **_):
    return descend(Objective(model, loss), start, constant(0.1), steps=[3])


@pytest.mark.parametrize("engine", [flow, scipy_flow, descend_briefly])
def test_an_engine_runs_on_one_thread(engine):
    model = Watched(torch.tensor([[3.0, 4.0]]).double())
    engine(model, Exponential(), torch.zeros(1, 2).double(), log_loss=[-5.0])
    assert model.seen == {1}


def python(code: str, **environment: str) -> str:
    """What a fresh Python without any setting of threads prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**CLEAN, "OMP_NUM_THREADS": "3", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LIBRARIES = """
import cvxpy, numpy, scipy.linalg, sklearn.datasets, torch
from threadpoolctl import threadpool_info
def pools():
    return torch.get_num_threads(), sorted((p["filepath"], p["num_threads"]) for p in threadpool_info())
"""
IMPORT_ALL = """
import importlib, pkgutil, ibcore
for module in pkgutil.walk_packages(ibcore.__path__, "ibcore."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def test_importing_the_package_changes_nothing():
    alone = python(LIBRARIES + "print(pools())")
    both = python(
        LIBRARIES + "before = pools()\n" + IMPORT_ALL + "print(before, pools())"
    )
    assert both == f"{alone} {alone}"


CALL = """
import torch
from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.models import Linear
from ibcore.threads import threads
from ibcore.validation import InvalidInput
x = torch.tensor([[3.0, 4.0]]).double()
before = pools()
with threads():
    flow(Linear(x), Exponential(), torch.zeros(1, 2).double(), log_time=[0.0])
    assert pools()[0] == 1 and {number for _, number in pools()[1]} == {1}
try:
    with threads():
        flow(Linear(x), Exponential(), torch.zeros(2).double(), log_time=[float("nan")])
except InvalidInput:
    pass
else:
    raise AssertionError("expected a refusal")
print(pools() == before)
"""


def test_calls_change_nothing_that_lasts():
    assert python(LIBRARIES + CALL) == "True"


def test_overlapping_calls_change_nothing_that_lasts():
    report = (
        "import threading\nfrom ibcore.threads import threads\n"
        + inspect.getsource(overlap)
        + "before = pools()\nassert overlap() == [1, before[0]]\nprint(pools() == before)"
    )
    assert python(LIBRARIES + report) == "True"


FREED = """
import threading
from ibcore.threads import threads
from threadpoolctl import threadpool_limits
with threads():
    pass
def own_limit():
    with threadpool_limits(3):
        print({number for name, number in pools()[1] if "openblas" in name and number > 1})
thread = threading.Thread(target=own_limit)
thread.start()
thread.join(60)
"""


@pytest.mark.skipif(
    not any(pool["internal_api"] == "openblas" for pool in threadpool_info()),
    reason="no OpenBLAS here",
)
def test_another_threads_own_limit_works_afterwards():
    """threadpoolctl lets one Python thread at a time set OpenBLAS; a call must not keep
    that for itself.
    """
    assert python(LIBRARIES + FREED) == "{3}"


LATE = """
import sys, numpy, torch
from ibcore.threads import threads
from threadpoolctl import ThreadpoolController, threadpool_info
def late():
    return {p["filepath"]: p["num_threads"] for p in threadpool_info() if p["filepath"] not in early}
early = {p["filepath"] for p in threadpool_info()}
with threads():
    import scipy.linalg
    assert set(late().values()) - {1}, "it comes with a setting of its own"
    before = late()
    with threads():
        assert set(late().values()) == {1}
    assert set(late().values()) == {1}
print(late() == before)
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="a library offers one thread")
def test_a_library_that_is_loaded_inside_is_limited_too():
    assert python(LATE) == "True"
