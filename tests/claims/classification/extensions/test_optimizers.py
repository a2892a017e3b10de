import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.classification.extensions import optimizers as page
from ibcore.dynamics.directions import Adam, Steepest
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant, decaying
from ibcore.losses import Exponential, Logistic
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.norm_margin import conjugate, norm_max_margin
from ibcore.problems.separable import Classification, planted_margin

CLAIMS = {
    claim.id: claim
    for claim in (
        page.gd_sgd_same_limit,
        page.normalized_gd_rate,
        page.steepest_descent_norm_margin,
        page.adaptive_methods,
    )
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


@pytest.mark.parametrize("name", CLAIMS)
def test_figures_get_finite_arrays_on_the_cpu(verdicts, name):
    for value in verdicts[name].data.values():
        if isinstance(value, torch.Tensor):
            assert value.device.type == "cpu"
            assert bool(value.isfinite().all())


def test_the_conditions_on_the_data_are_met():
    norms = page.draw_norm_problems(Setting("quick", 5), 2, "any")
    assert bool((norms.margins >= page.LEAST_MARGIN * norms.radii).all())
    for b, solutions in enumerate(norms.solutions):
        optima = torch.stack([s.primal for s in solutions])
        gaps = norms.gaps(optima[:, None].repeat(1, 2, 1))[:, b]
        torch.testing.assert_close(
            gaps.diagonal(), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-7
        )
        assert bool((gaps + torch.eye(3) >= page.LEAST_DIFFERENCE).all())
        for k in (0, 2):
            found = page.strictness(norms.signed[b], solutions[k])
            assert all(
                a >= least
                for a, least in zip(found, page.LEAST_STRICTNESS, strict=True)
            )


def test_strictness_of_a_single_point():
    """For x = (2, 1) the l1 optimum (1, 0) has certificate (1, 1/2), the l_inf optimum (1, 1) has (2/3, 1/3)."""
    data = Classification(torch.tensor([[2.0, 1.0]]).double(), torch.ones(1).double())
    one, infinity = (
        page.strictness(data.signed, norm_max_margin(data.X, data.y, p))
        for p in (1.0, math.inf)
    )
    assert one == pytest.approx((1, 0.5))
    assert infinity == pytest.approx((1, 1 / 3))


def test_weighted_gaps_vanish_at_the_weighted_optimum():
    """One point a: the largest margin in sqrt(sum D_j w_j^2) is at w = a / D."""
    rows = torch.tensor([[[2.0, 1.0]]]).double()
    scale = torch.tensor([[4.0, 1.0]]).double()
    weighted, l2 = page._weighted_gaps(rows, rows[:, 0] / scale, scale)
    assert float(weighted) == pytest.approx(0, abs=1e-9)
    assert float(l2) == pytest.approx(1 - 2 / math.sqrt(1.25 * 5))


def test_adam_without_epsilon_has_a_speed_limit():
    run = descend(
        Objective(Linear([[3.0, 1.0]]), Exponential()),
        torch.zeros(1, 2),
        constant(0.1),
        steps=[1000, 2000],
        direction=Adam(0.9, 0.99, 0.0),
    )
    speed = float(run.log_loss[0, 0] - run.log_loss[1, 0]) / 1000
    assert 0.9 * -math.log(0.99) / 2 < speed < 1.05 * -math.log(0.99) / 2


def falls(checks, which):
    """Whether exactly the checks at the places `which` fail."""
    return [k for k, check in enumerate(checks) if not check.holds] == list(which)


@pytest.mark.parametrize(
    ("part", "which"), [("losses", 0), ("turned", 1), ("apart", 2), ("distance", 3)]
)
def test_a_run_that_broke_down_is_not_beside_the_flow(part, which):
    both = torch.stack([torch.ones(4, 8), torch.full((4, 8), 0.3)]).double()
    measured = {
        "losses": torch.ones(4, 8).double(),
        "turned": torch.full((8,), 0.01).double(),
        "apart": both,
        "distance": both,
    }
    assert falls(page._beside_the_flow(**measured), ())
    measured[part] = measured[part].clone()
    measured[part].view(-1, 8)[0, slice(None) if part == "distance" else 2] = math.nan
    assert falls(page._beside_the_flow(**measured), (which,))


def test_sgd_is_allowed_to_be_late_on_few_data_sets_only():
    losses, turned = torch.ones(4, 8).double(), torch.zeros(8).double()
    both = torch.stack([torch.ones(4, 8), torch.full((4, 8), 0.3)]).double()
    late = both.clone()
    late[1, 3, :2] = math.nan
    assert falls(page._beside_the_flow(losses, turned, both, late), ())
    late[1, 3, :6] = math.nan
    assert falls(page._beside_the_flow(losses, turned, both, late), (4,))


def test_every_loss_scaled_method_has_a_bar_of_its_own():
    sines = torch.full((4, 8), 1e-4).double()
    assert falls(page._scaled_limits(sines), ())
    for row, which in ((0, 0), (1, 1), (2, 1), (3, 2)):
        lost = sines.clone()
        lost[row, 5] = math.nan
        assert falls(page._scaled_limits(lost), (which,))


def test_rates_hold_for_shares_and_the_bound_for_every_data_set():
    slopes = torch.stack([torch.full((32,), -1.0), torch.full((32,), -0.55)]).double()
    share = torch.full((9, 2, 32), 0.1).double()
    assert falls(page._rates(slopes, -0.5573, share), ())
    few, many = slopes.clone(), slopes.clone()
    few[:, :8], many[:, :17] = -2.0, math.nan
    assert falls(page._rates(few, -0.5573, share), ())
    assert falls(page._rates(many, -0.5573, share), (0, 1, 2))
    slow = slopes.clone()
    slow[0, 3] = -0.8
    assert falls(page._rates(slow, -0.5573, share), (1,))
    for bad in (1.01, math.nan):
        beyond = share.clone()
        beyond[3, 1, 7] = bad
        assert falls(page._rates(slopes, -0.5573, beyond), (3,))


def test_each_descent_is_judged_in_its_own_norm():
    gaps = torch.full((3, 8, 3), 0.05).double()
    for k in range(3):
        gaps[k, :, k] = 1e-4
    assert falls(page._own_norms(gaps), ())
    assert falls(page._own_norms(gaps.flip(-1)), (0, 2, 3, 4))
    for k in range(3):
        lost = gaps.clone()
        lost[k, :6, k] = math.nan
        assert falls(page._own_norms(lost), (k, 3, 4))


def test_adaptive_methods_without_a_number_let_no_claim_stand():
    adam = torch.tensor([0.1, 0.1, 1e-4]).double().repeat(8, 1)
    weighted, l2 = torch.full((8,), 1e-4).double(), torch.full((8,), 0.1).double()
    reach, missing = torch.ones(8).double(), torch.full((8,), math.nan).double()
    assert falls(page._adaptive(adam, reach, weighted, l2), ())
    assert falls(page._adaptive(adam, 1.001 * reach, weighted, l2), (0,))
    assert falls(page._adaptive(adam * math.nan, missing, weighted, l2), (0, 1, 2))
    assert falls(page._adaptive(adam, reach, missing, l2), (3, 4))
    assert falls(page._adaptive(adam, reach, weighted, missing), (4,))


@pytest.mark.parametrize("size", [0.05, 0.5, 3.0])
@pytest.mark.parametrize("p", [1.0, 2.0, 4.0, math.inf])
def test_no_steepest_descent_falls_below_its_bound(p, size):
    """min m >= sum s (gamma - bound) after any steps s, also where steps are long and the bound says little."""
    data = planted_margin(12, 3, 1.0, torch.Generator().manual_seed(1103010))
    radius = torch.linalg.vector_norm(data.X, conjugate(p), dim=1).max()
    pace, stops = decaying(size / float(radius), 0.5), [1, 10, 100, 1000, 3000]
    run = descend(
        Objective(Linear(data.signed), Exponential()),
        torch.zeros(1, 3),
        pace,
        steps=stops,
        direction=Steepest(p, normalized=True),
    )
    lengths = torch.tensor([pace.log_size(k) for k in range(3000)]).double().exp()
    best = norm_max_margin(data.X, data.y, p).margin
    for k, w in zip(stops, run.theta[:, 0], strict=True):
        bound = float(page.steepest_bound(lengths[:k], radius, 12))
        least = float((data.signed @ w).min())
        assert least >= float(lengths[:k].sum()) * (best - bound)
        if bound < best:
            assert best - least / float(torch.linalg.vector_norm(w, p)) <= bound


def test_the_control_on_the_lengths_survives_where_their_sum_is_infinite():
    norms = page.draw_norm_problems(Setting("quick", 6), 8, "any")

    def control(power, over):
        pace = decaying(0.7 / norms.radii.flatten(), power, over=over)
        return page._spent(page.own_gaps(page._steepest_gaps(norms, pace, [7000])[-1]))

    assert control(2.0, 20.0).refuted
    assert not control(0.5, 600.0).refuted
    assert not page._spent(torch.full((8, 3), math.nan).double()).refuted


def test_the_bound_counts_the_squares_of_the_steps():
    """For one example the bound is R^2 sum s^2 / (2 sum s): of second order in the steps, though the gap is zero."""
    lengths = torch.full((50,), 0.1).double()
    bound = page.steepest_bound(lengths, torch.tensor(2.0).double(), 1)
    assert float(bound) == pytest.approx(4 * 0.1 / 2)


@pytest.mark.parametrize("k", [40, 400, 4000])
def test_gradient_descent_stays_below_the_bound_of_its_loss(k):
    X = torch.tensor([[0.6, 0.8], [0.8, -0.6], [0.4, 0.3]]).double()
    gamma = torch.tensor(max_margin(X, torch.ones(3).double()).margin).double()
    objective = Objective(Linear(X), Logistic())
    run = descend(objective, torch.zeros(1, 2), constant(4.0), steps=[k])
    ratio = float(
        torch.exp(run.log_loss[0, 0]) / page.descent_bound(gamma, torch.tensor(4.0 * k))
    )
    assert ratio <= 1
    assert not page._below_the_bound(torch.tensor([0.5, 1.01])).holds
    assert not page._below_the_bound(torch.tensor([0.5, math.nan])).holds


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_adam_with_equal_decays_moves_no_coordinate_by_more_than_its_step_size(beta):
    """Also where a coordinate changes its direction: by Cauchy and Schwarz m^2 <= v."""
    data = planted_margin(6, 4, 0.05, torch.Generator().manual_seed(1103011))
    stops = list(range(1, 60))
    run = descend(
        Objective(Linear(data.signed), Exponential()),
        torch.zeros(1, 4),
        constant(0.3),
        steps=stops,
        direction=Adam(beta, beta, 0.0),
    )
    moved = run.theta[:, 0].diff(dim=0, prepend=torch.zeros(1, 4).double())
    assert float(moved.abs().max()) <= 0.3 * (1 + 1e-12)
    assert float(moved.abs().max()) > 0.299


def test_the_speed_limit_needs_beta1_squared_below_beta2():
    """With beta1^2 > beta2 the first moment forgets more slowly, and Adam passes the limit log(1/beta2) / 2."""
    objective = Objective(Linear([[3.0, 1.0]]), Exponential())
    speeds = []
    for beta1 in (0.5, 0.9):
        run = descend(
            objective,
            torch.zeros(1, 2),
            constant(0.1),
            steps=[100, 300],
            direction=Adam(beta1, 0.6, 0.0),
        )
        speeds.append(float(run.log_loss[0, 0] - run.log_loss[1, 0]) / 200)
    limit = -math.log(0.6) / 2
    assert speeds[0] <= 1.05 * limit < speeds[1]
