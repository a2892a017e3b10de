import dataclasses
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.pages.classification.logistic_regression import claims as page
from ibcore.pages.classification.logistic_regression.claims.margin_generalization import (
    LEVELS,
    Clouds,
    _flipped,
    _flow_errors,
    draw_samples,
    measure_clouds,
)
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {page.margin_generalization.id: page.margin_generalization}
CPU = torch.device("cpu")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def test_separators_have_the_margin_of_their_level(verdicts):
    found = verdicts["margin-generalization"].measured
    assert found.margins.shape == (8, 40 * len(LEVELS))
    levels = torch.tensor(LEVELS, dtype=torch.float64).repeat_interleave(40)
    assert bool((found.margins >= levels - 1e-9).all())
    assert bool((found.margins < 1).all())


def test_random_labels_leave_nothing_to_learn():
    drawn = [_flipped(seed) for seed in Setting("quick", 3).seeds(24, "any")]
    problems, flips = zip(*drawn, strict=True)
    errors, broken = _flow_errors(problems, torch.stack(flips), CPU)
    assert broken == ()
    assert float(errors.mean()) == pytest.approx(0.5, abs=4 * 0.07 / 24**0.5)


def made_up():
    """Eight data sets whose errors fall with the margin, to 0.1, above the errors of
    the flow.
    """
    margins = torch.linspace(0, 0.95, 12, dtype=torch.float64).repeat(8, 1)
    return Clouds(
        margins=margins,
        errors=0.5 - 0.4 * margins,
        uniform=3,
        flow_errors=torch.full((8,), 0.1).double(),
        random_errors=torch.full((8,), 0.5).double(),
        bound=3.2,
        broken=(),
    )


def judged(**fields):
    return page.margin_generalization.judge(dataclasses.replace(made_up(), **fields))


def test_margins_that_do_not_matter_make_the_claim_fall():
    found = made_up()
    evidence = judged()
    assert falls(evidence.checks) == []
    assert evidence.notes["bound is vacuous"] == "True"
    assert evidence.notes["share of all sampled separators worse than the flow"] == 1
    shuffled = found.errors.clone()
    shuffled[3] = shuffled[3].flip(0)
    assert falls(judged(errors=shuffled).checks) == [0]
    lost = found.errors.clone()
    lost[3, 1] = math.nan
    assert falls(judged(errors=lost).checks) == [0, 1]


@pytest.mark.parametrize("bad", [0.45, math.nan])
def test_one_flow_that_errs_more_than_a_uniform_separator_makes_the_claim_fall(bad):
    errors = made_up().flow_errors
    errors[5] = bad
    assert falls(judged(flow_errors=errors).checks) == [1]


def test_the_control_is_not_refuted_by_a_run_without_a_number():
    errors = made_up().random_errors
    errors[2] = math.nan
    assert not judged(random_errors=errors).control.refuted
    assert judged().control.refuted


def test_the_control_survives_with_the_labels_of_the_teacher():
    samples = draw_samples(Setting("quick", 4), datasets=2, per_level=1, steps=1)
    true = torch.stack([problem.y for problem in samples.unrelated])
    found = measure_clouds(
        dataclasses.replace(samples, flips=true), Setting("quick", 4)
    )
    assert not judged(random_errors=found.random_errors).control.refuted
