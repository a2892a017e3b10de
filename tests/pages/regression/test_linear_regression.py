import dataclasses
import math
from importlib import import_module

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics import paces
from ibcore.dynamics.batches import epochs
from ibcore.dynamics.directions import Momentum
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.models.linear import Linear
from ibcore.oracles.least_squares import minimum_norm
from ibcore.pages.regression.linear_regression import claims as page
from ibcore.pages.regression.linear_regression import runs
from ibcore.problems.interpolation import isotropic_interpolation
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {
    claim.id: claim for claim in (page.linreg_min_distance, page.norm_generalization)
}
SETTING = Setting("quick", 4)
distance = import_module(f"{page.__name__}.linreg_min_distance")
price = import_module(f"{page.__name__}.norm_generalization")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def poisoned(values):
    """The same values, with NaN in place of the last."""
    lost = values.clone()
    lost.view(-1)[-1] = math.nan
    return lost


def test_a_method_that_ends_elsewhere_makes_the_claim_fall(verdicts):
    found = verdicts["linreg-min-distance"].measured
    bad = {
        "certificate": poisoned(found.certificate),
        "outside": poisoned(found.outside),
        "early": poisoned(found.early),
    }
    places = {"certificate": [0], "outside": [5], "early": [6]}
    for name, values in bad.items():
        checks = page.linreg_min_distance.judge(
            dataclasses.replace(found, **{name: values})
        ).checks
        assert falls(checks) == places[name]
    for place, (name, far) in enumerate(found.ends.items(), start=1):
        for values in (poisoned(far), far + 1e-11):
            lost = dataclasses.replace(found, ends=found.ends | {name: values})
            assert falls(page.linreg_min_distance.judge(lost).checks) == [place]


def test_adam_that_fits_where_it_should_not_refutes_nothing():
    far = torch.full((8,), 0.4).double()
    assert distance._adam_control(far).refuted
    assert not distance._adam_control(0 * far).refuted
    assert not distance._adam_control(math.nan * far).refuted


def test_adam_is_followed_to_the_rounding_of_its_fit(monkeypatch):
    """A loss of 1e-16, of targets of size one."""
    ends = []

    def kept(*arguments, **options):
        ends.append(descend(*arguments, **options))
        return ends[-1]

    monkeypatch.setattr(distance, "descend", kept)
    distance._adam(page.linreg_min_distance.problems(SETTING))
    (run,) = ends
    assert bool((run.last_log_loss <= math.log(1e-16)).all())


def test_the_control_survives_where_the_steps_stay_in_the_row_space(verdicts):
    """The same judgment of heavy ball, whose momentum has one scale for all
    coordinates.
    """
    found = verdicts["linreg-min-distance"].measured
    assert distance._adam_control(found.adam).refuted
    assert not distance._adam_control(found.ends["heavy ball"]).refuted


def test_sgd_in_another_order_ends_at_the_same_place():
    problems = page.linreg_min_distance.problems(SETTING)
    other = dataclasses.replace(problems, order=problems.order + 1)
    ends = [distance._stochastic(one) for one in (problems, other)]
    assert not torch.equal(*ends)
    torch.testing.assert_close(*ends, rtol=0, atol=1e-12)


def steps_of(data, batch_size, step_size, momentum, passes=3000):
    """Relative distance to the closest interpolant after `passes` over `data`, one
    problem, in shuffled order.
    """
    X, y, n = data.X, data.y, len(data.y)
    run = descend(
        Objective(Linear(X), Square(), y),
        data.start[None],
        paces.constant(step_size),
        direction=Momentum(momentum),
        batches=epochs(batch_size, torch.Generator().manual_seed(1105041)),
        until=lambda point: point.residuals.norm(dim=-1) > 1e6,
        ask_every=n // batch_size,
        max_steps=passes * n // batch_size,
    )
    moved = minimum_norm(X, y - data.outputs(data.start)).weights
    return float((run.last[0] - data.start - moved).norm() / moved.norm())


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.8])
def test_heavy_ball_converges_up_to_its_limit_and_not_beyond(momentum):
    """eta < (1 + mu) n / sigma_max^2; 1 percent beyond, the largest root is 1.02 or
    more and grows for 3000 steps.
    """
    data = isotropic_interpolation(6, 15, torch.Generator().manual_seed(1105040))
    limit = (1 + momentum) * 6 / float(torch.linalg.matrix_norm(data.X, 2)) ** 2
    assert steps_of(data, 6, 0.99 * limit, momentum) < 1e-10
    assert steps_of(data, 6, 1.01 * limit, momentum) > 1e3


def test_sgd_in_shuffled_passes_converges_close_to_its_limit():
    data = isotropic_interpolation(6, 15, torch.Generator().manual_seed(1105042))
    limit = 1 / float(data.X.square().sum(-1).max())
    assert steps_of(data, 1, 0.99 * limit, 0.0) < 1e-10


def own_data():
    rng = np.random.default_rng(1105050)
    X = rng.normal(size=(4, 9)) * 300
    return X, X[:, 0] - 7


def test_own_data_take_the_place_of_drawn_ones():
    X, y = own_data()
    problems = page.linreg_min_distance.problems(SETTING, (X, y))
    data = problems.data
    assert data.X.shape == (8, 4, 9)
    assert float(data.X.square().mean()) == pytest.approx(1)
    ratio = data.y[0] / torch.from_numpy(y)
    assert float(ratio.max() / ratio.min()) == pytest.approx(1)
    shortest = minimum_norm(data.X[0], data.y[0]).weights
    assert float(shortest.norm()) == pytest.approx(1)
    assert len(set(data.start[:, 0].tolist())) == 8
    verdict = page.linreg_min_distance.verify(SETTING, data=(X, y))
    assert verdict.evidence.holds


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X, y: (X.T, y[[0, 1, 2, 3] * 2 + [0]]), "fewer rows than columns"),
        (lambda X, y: (np.vstack([X, X[:1]]), np.append(y, 1.0)), "dependent"),
        (lambda X, y: (np.vstack([X, X[:1] * 1.001 + 1]), np.append(y, 1)), "smallest"),
        (lambda X, y: (X, 0 * y), "y is zero"),
        (lambda X, y: (X, np.stack([y, y], 1)), "one number a row"),
    ],
)
def test_own_data_that_cannot_serve_are_refused(change, words):
    with pytest.raises(InvalidInput, match=words):
        page.linreg_min_distance.problems(SETTING, change(*own_data()))


# --- what the least norm is worth


def test_the_least_norm_is_a_share_n_over_d_of_the_norm_of_the_truth():
    """|X^+ y|^2 / |w*|^2 is the share of w* in a random subspace: Beta(n/2, (d - n)/2),
    of mean n/d.
    """
    n, d, count = 10, 30, 400
    shares = torch.stack(
        [
            minimum_norm(data.X, data.y).weights.square().sum()
            / data.truth.square().sum()
            for data in (
                isotropic_interpolation(n, d, torch.Generator().manual_seed(seed))
                for seed in range(1105100, 1105100 + count)
            )
        ]
    )
    spread = math.sqrt(2 * n * (d - n) / (d**2 * (d + 2)))
    assert float(shares.mean()) == pytest.approx(n / d, abs=5 * spread / count**0.5)


def test_measurements_of_interpolants_are_consistent(verdicts):
    found = verdicts["norm-generalization"].measured
    exact = found.errors.mean(-1) / found.predicted
    tolerance = 0.6 / found.errors.shape[-1] ** 0.5
    assert bool(((exact - 1).abs() < tolerance).all())
    assert max(found.leaning.rank) < -0.5
    assert min(found.aimless.rank) > 0.95


def test_means_of_random_interpolants_spread_as_the_bar_says(verdicts):
    """The ratio of one error to its mean spreads by at most 0.12, on 50 fresh points by
    at most 0.24.
    """
    found = verdicts["norm-generalization"].measured
    for values, bar in ((found.errors, 0.13), (found.risks, 0.26)):
        assert bool(((values / found.predicted[..., None]).std(-1) < bar).all())


def test_random_interpolants_without_a_lean_obey_the_identity():
    problem = price.drawn(3, 500, torch.device("cpu"))
    found = price.measure_prices(price.Problems((problem,)), SETTING)
    assert float(found.residual) < 1e-12
    assert float(found.risks[0, 1].mean() / found.predicted[0, 1]) == pytest.approx(
        1, abs=0.1
    )
    assert found.leaning.rank[0] < -0.9


def test_the_clouds_reach_three_and_five_times_the_hidden_part(verdicts):
    """An interpolant at the distance r from X^+ y has the squared norm |X^+ y|^2 + r^2."""
    found = verdicts["norm-generalization"].measured
    for cloud, reach in ((found.aimless, 3), (found.leaning, 5)):
        radii = (cloud.norms.square() - cloud.base.square()[:, None]).sqrt()
        shares = radii.amax(-1) / (reach * found.least.sqrt())
        assert bool((shares <= 1).all())
        assert bool((shares > 0.97).all())


def test_a_problem_is_measured_the_same_twice():
    problems = page.norm_generalization.problems(SETTING, problems=1, draws=500)
    first, second = (price.measure_prices(problems, SETTING) for _ in range(2))
    assert torch.equal(first.risks, second.risks)
    assert torch.equal(first.leaning.errors, second.leaning.errors)


def test_the_price_of_norm_is_judged_by_every_problem_and_radius():
    exact = torch.ones(8, 3).double()
    assert all(check.holds for check in price._price_checks(exact, exact, 1000))
    for bad in (poisoned(exact), exact + 0.1 * (exact.cumsum(0) == 8)):
        assert not any(check.holds for check in price._price_checks(bad, bad, 1000))


def test_one_problem_without_a_number_makes_the_price_fall(verdicts):
    found = verdicts["norm-generalization"].measured
    clouds = {
        name: dataclasses.replace(cloud, errors=poisoned(cloud.errors))
        for name, cloud in (("aimless", found.aimless), ("leaning", found.leaning))
    }

    def judged(**changed):
        lost = dataclasses.replace(found, **changed)
        return page.norm_generalization.judge(lost)

    assert falls(judged(errors=poisoned(found.errors)).checks) == [0]
    assert falls(judged(risks=poisoned(found.risks)).checks) == [1]
    assert falls(judged(predicted=poisoned(found.predicted)).checks) == [0, 1]
    assert falls(judged(aimless=clouds["aimless"]).checks) == [2]
    assert falls(judged(residual=poisoned(found.residual)).checks) == [3]
    assert not judged(leaning=clouds["leaning"]).control.refuted


def test_the_control_survives_where_directions_do_not_know_the_truth(verdicts):
    """The same measurement with v uniform: norm is paid for, and nothing is turned
    around.
    """
    found = verdicts["norm-generalization"].measured
    control = page.norm_generalization.judge(
        dataclasses.replace(found, leaning=found.aimless)
    ).control
    assert not control.refuted


def test_correlations_that_are_not_turned_around_refute_nothing():
    assert price._guided_control([-0.9] * 8).refuted
    assert not price._guided_control([-0.9] * 7 + [math.nan]).refuted
    assert not price._guided_control([-0.9] * 7 + [0.9]).refuted


# --- paths


def test_every_method_fits_and_adam_ends_elsewhere():
    paths = runs.distance_paths(3)
    assert list(paths) == list(runs.METHODS)
    for name, (steps, far) in paths.items():
        assert bool((np.diff(steps) > 0).all())
        assert (far[-1] < 1e-12) == (name != "Adam")


def test_following_own_data():
    data = isotropic_interpolation(3, 8, torch.Generator().manual_seed(1))
    path = runs.follow(data.X, data.y, data.start, "heavy ball")
    torch.testing.assert_close(path[0], data.start)
    assert float((data.X @ path[-1] - data.y).norm() / data.y.norm()) < 1e-13
