"""The comparison of processors: settings that this one can run, and differences that
count.
"""

from __future__ import annotations

import pytest
from processors import (
    OWN,
    X86_CORES,
    Outcome,
    differ,
    differences,
    processor_flags,
    settings,
)

HASWELL = set().union(*(X86_CORES[name] for name in list(X86_CORES)[:4]))


def values(machine, flags, name):
    return {one[name] for one in settings(machine, flags).values() if name in one}


def test_a_processor_is_asked_for_nothing_that_it_lacks():
    assert values("x86_64", {"pni"}, "OPENBLAS_CORETYPE") == {"Prescott"}
    assert values("x86_64", {"pni"}, "ATEN_CPU_CAPABILITY") == {"default"}
    assert values("x86_64", {"pni"}, "MKL_CBWR") == {"COMPATIBLE"}
    assert "SkylakeX" not in values("x86_64", HASWELL, "OPENBLAS_CORETYPE")
    assert values("x86_64", set(), "OPENBLAS_CORETYPE") == set()
    assert values("arm64", set(), "OPENBLAS_CORETYPE") == {"ARMV8"}
    assert values("aarch64", set(), "MKL_CBWR") == set()


def test_a_processor_is_asked_for_everything_that_it_has():
    assert values("x86_64", HASWELL, "ATEN_CPU_CAPABILITY") == {"default", "avx2"}
    assert values("x86_64", HASWELL, "MKL_CBWR") == {"COMPATIBLE", "AVX2"}
    assert "Haswell" in values("x86_64", HASWELL, "OPENBLAS_CORETYPE")
    assert values("x86_64", HASWELL, "OMP_NUM_THREADS") == {"1", "2"}


def test_its_own_setting_comes_first_and_the_oldest_of_each_kind_last():
    names = list(settings("x86_64", HASWELL))
    assert names[0] == OWN
    assert settings("x86_64", HASWELL)[names[-1]] == {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "OPENBLAS_CORETYPE": "Prescott",
    }


def test_the_flags_of_this_processor_are_words():
    assert all(word.isprintable() and " " not in word for word in processor_flags())


def record(measured, *, holds=True, refuted=True):
    control = {"name": "control", "measured": 1.0, "refuted": refuted}
    check = {"name": "angle", "measured": measured, "holds": holds}
    return {"id": "a", "checks": [check], "control": control}


@pytest.mark.parametrize(
    ("first", "second", "different"),
    [
        (1.0, 1.005, False),
        (1.0, 1.02, True),
        (0.0, 1e-9, True),
        (None, None, False),
        (None, 1.0, True),
    ],
)
def test_numbers_differ_beyond_a_percent(first, second, different):
    assert differ(first, second) is different


@pytest.mark.parametrize(
    ("other", "verdicts", "numbers"),
    [
        ({"a": record(1.0)}, [], 0),
        ({"a": record(2.0)}, [], 1),
        ({"a": record(1.0, holds=False)}, ["a"], 0),
        ({"a": record(1.0, refuted=False)}, ["a"], 0),
        ({}, ["a: no record"], 0),
    ],
)
def test_what_differs_is_named(other, verdicts, numbers):
    found = differences(Outcome((), {"a": record(1.0)}), Outcome((), other))
    assert found[0] == verdicts
    assert len(found[1]) == numbers
