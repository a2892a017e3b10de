import dataclasses
import math

import pytest
import torch

from ibcore.pages.classification.homogeneous_networks.margin_bounds import (
    claims as page,
)
from ibcore.pages.classification.homogeneous_networks.margin_bounds import runs
from ibcore.pages.classification.homogeneous_networks.margin_bounds.claims.network_margin_bounds import (
    AT,
    LEVELS,
    MarginRuns,
    Trained,
)
from ibcore.pages.classification.homogeneous_networks.margin_bounds.claims.pac_bayes_nonvacuous import (
    PacBayes,
    Randomized,
)
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {
    claim.id: claim for claim in (page.network_margin_bounds, page.pac_bayes_nonvacuous)
}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def margins(verdicts):
    return verdicts["network-margin-bounds"].measured


def test_every_network_comes_down_to_every_loss_and_fits_what_it_must(margins):
    for run in margins.runs:
        assert run.unreached == ()
        assert run.margins.shape == (len(LEVELS), 8, 3, 120)
        assert run.margins.dtype == torch.float64
        assert bool((run.margins[-1] > 0).all())


def made_up(depth, *, deeper=2.0, leading=10.0, again=1.0):
    """Runs in which margins are 1 for true labels, and for random ones 1/4 at the
    comparison, `deeper` below it.
    """
    margins = torch.ones(3, 8, 3, 20, dtype=torch.float64)
    margins[:, :, 1] = again
    margins[AT, :, 2], margins[AT + 1, :, 2] = 0.25, deeper
    ones = torch.ones(3, 8, 3, dtype=torch.float64)
    spectral = ones.clone()
    spectral[AT + 1, :, 2] = 8.0
    return Trained(depth, margins, spectral, ones, leading * depth**2 * ones)


def growth(*, norms=0.2, error=-0.6):
    """Complexities and errors that are powers of the number of examples, with a leading
    term that follows.
    """
    sizes = torch.tensor([75, 300]).double()
    complexity = (sizes**norms)[:, None].repeat(1, 8)
    leading = complexity / sizes.sqrt()[:, None]
    return runs.Grown(complexity, leading, (sizes**error)[:, None].repeat(1, 8))


def judged(two, three, **grown):
    measured = MarginRuns(two, three, torch.tensor([75, 300]), growth(**grown))
    return page.network_margin_bounds.judge(measured)


def outcomes(two, three, **grown):
    evidence = judged(two, three, **grown)
    failed = [check.name for check in evidence.checks if not check.holds]
    return failed, evidence.control.refuted


def test_made_up_runs_are_judged_at_the_level_of_the_comparison():
    assert outcomes(made_up(2), made_up(3)) == ([], True)
    failed, _ = outcomes(made_up(2, deeper=0.9), made_up(3))
    assert failed == [
        (
            "2 layers: raw margins, true over random labels trained to a tenth of the "
            "loss, at most 1"
        )
    ]
    failed, _ = outcomes(made_up(2), made_up(3, deeper=5.0))
    assert failed == ["3 layers: the same over the spectral complexity at least 2"]
    failed, _ = outcomes(made_up(2), made_up(3, leading=8.0))
    assert failed == ["leading term with three layers over that with two at least 2"]


def test_norms_that_do_not_grow_and_a_bound_that_follows_the_error_are_told():
    two, three = made_up(2), made_up(3)
    assert falls(judged(two, three, norms=-0.05, error=-0.7).checks) == [10]
    assert falls(judged(two, three, norms=0.05, error=-0.4).checks) == [11]


@pytest.mark.parametrize("part", ["complexity", "leading", "error"])
def test_networks_without_a_number_count_against_the_growth(part):
    grown = growth()
    values = getattr(grown, part).clone()
    values[1, :5] = math.nan
    measured = MarginRuns(
        made_up(2),
        made_up(3),
        torch.tensor([75, 300]),
        dataclasses.replace(grown, **{part: values}),
    )
    evidence = page.network_margin_bounds.judge(measured)
    assert falls(evidence.checks) == [10 if part == "complexity" else 11]
    assert len(evidence.broken) == (5 if part == "complexity" else 0)


def test_more_digits_need_larger_norms_and_make_fewer_errors(margins):
    grown = margins.grown
    assert bool((grown.error[1] < grown.error[0]).all())
    expected = grown.complexity / margins.sizes.double().sqrt()[:, None]
    assert torch.allclose(grown.leading, expected, rtol=0.1)


def test_a_margin_that_is_not_reached_leaves_no_number():
    grown = runs.grow([1, 2], (40,), 4, 0.1, "cpu", margin=1e6)
    assert bool(grown.complexity.isnan().all())


@pytest.mark.parametrize("again", [0.4, 2.5])
def test_a_shift_between_true_labels_would_not_refute(again):
    assert outcomes(made_up(2, again=again), made_up(3)) == ([], False)


def test_a_label_costs_log_2_if_it_is_not_fitted():
    run = made_up(2)
    run.margins[:, 0, 0, :2] = -1
    expected = 0.1 * math.log(2) / torch.tensor(LEVELS).double()
    torch.testing.assert_close(run.missed()[:, 0, 0], expected, rtol=1e-6, atol=0)
    assert float(run.missed()[:, 1:].abs().max()) == 0
    failed, _ = outcomes(run, made_up(3))
    assert failed == ["share of labels that are not fitted, over log 2 times the loss"]


def test_networks_that_stop_early_are_named_and_count_as_failing():
    run = made_up(2)
    run.margins[AT, :2, 2] = torch.nan
    assert run.unreached == tuple(
        f"2 layers, seed {seed}, random labels: the loss did not reach 0.01"
        for seed in range(2)
    )
    evidence = judged(run, made_up(3))
    checks, control = evidence.checks, evidence.control
    broken = {check.name: check.broken for check in checks if check.broken}
    assert broken == {
        "2 layers: true over random labels at least 2, spectral": 2,
        "2 layers: true over random labels at least 2, frobenius": 2,
        "share of labels that are not fitted, over log 2 times the loss": 2,
    }
    assert falls(checks) == [9]
    assert control.refuted
    run.margins[AT, :, 1] = torch.nan
    assert not judged(run, made_up(3)).control.refuted


def test_the_leading_term_is_the_stated_one(margins):
    run = margins.two
    normalized = run.normalized("spectral")
    assert torch.allclose(
        run.leading * normalized,
        (run.leading * normalized)[0].expand_as(run.leading),
        rtol=1e-6,
    )
    assert bool((run.leading > 2**1.5 / 2 / 120**0.5).all())


# --- A bound below one


def bounded(**changed):
    """Eight networks of either labeling with plausible errors and bounds."""
    eight = torch.ones(8).double()
    true = Randomized(
        0.17 * eight, 0.2 * eight, 0.1 * eight, 500 * eight, 0.7 * eight, 0.25 * eight
    )
    random = Randomized(
        0.5 * eight, 0.9 * eight, 0.9 * eight, 3000 * eight, 0.99 * eight, 0.64 * eight
    )
    parts = {"true": true, "random": random}
    for name, values in changed.items():
        labeling, _, field = name.partition("_")
        parts[labeling] = dataclasses.replace(parts[labeling], **{field: values})
    return page.pac_bayes_nonvacuous.judge(PacBayes(**parts))


def test_bounds_that_say_something_stand():
    assert falls(bounded().checks) == []
    assert bounded().control.refuted


@pytest.mark.parametrize("member", [0, 7])
@pytest.mark.parametrize(
    ("part", "value", "places"),
    [
        ("true_bound", 0.91, [0]),
        ("true_bound", 0.1, [1]),
        ("true_bound", math.nan, [0, 1]),
        ("true_test", math.nan, [1]),
        ("random_bound", 0.89, [1, 2]),
        ("random_bound", math.nan, [1, 2]),
    ],
)
def test_one_network_is_enough_to_fall(member, part, value, places):
    labeling, _, name = part.partition("_")
    values = (
        getattr(Randomized(*[torch.ones(8).double()] * 6), name).clone()
        * {"true_bound": 0.7, "true_test": 0.2, "random_bound": 0.99}[part]
    )
    values[member] = value
    assert falls(bounded(**{f"{labeling}_{name}": values}).checks) == places


def test_a_control_without_numbers_refutes_nothing():
    values = torch.full((8,), 0.64).double()
    values[3] = math.nan
    assert not bounded(random_centered=values).control.refuted


def test_the_control_survives_with_a_prior_that_is_blind(verdicts):
    """The same bound with a prior around the start in place of one around the trained
    weights.
    """
    random = verdicts["pac-bayes-nonvacuous"].measured.random
    assert not bounded(random_centered=random.bound).control.refuted
    assert bounded(random_centered=random.centered).control.refuted


def test_random_labels_leave_the_error_of_guessing(verdicts):
    random = verdicts["pac-bayes-nonvacuous"].measured.random
    assert float(random.test.mean()) == pytest.approx(0.9, abs=0.03)
    assert float(random.training.max()) < 0.7


def test_the_randomized_error_is_the_mean_over_networks_and_digits():
    data = runs.draw_digits([3, 4], 60, 40, 0.0, "cpu")
    generator = torch.Generator().manual_seed(1)
    mean = runs.he_start(data.network(8), 2, generator)
    found, _ = runs.randomized_errors(data, 8, mean, 0.2, 400, generator)
    errors = []
    for _ in range(100):
        theta = mean + 0.2 * torch.randn(mean.shape, generator=generator).double()
        guesses = data.network(8).outputs(theta).argmax(-1)
        errors.append((guesses != data.y).double().mean(-1))
    expected = torch.stack(errors).mean(0)
    assert found.tolist() == pytest.approx(expected.tolist(), abs=0.03)


def test_the_digits_do_not_depend_on_their_labels():
    true, random = (runs.draw_digits([5], 50, 30, share, "cpu") for share in (0.0, 1.0))
    assert torch.equal(true.X, random.X)
    assert torch.equal(true.y_test, random.y_test)
    assert float((true.y != random.y).double().mean()) > 0.6
