"""The judgments of the claims on optimizers, on made-up measurements."""

import math

import pytest
import torch

from ibcore.dynamics.directions import Adam
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Exponential
from ibcore.models import Linear
from ibcore.pages.classification.extensions.optimizers.claims.adaptive_methods import (
    of_adagrad,
    of_adam,
    with_epsilon,
)
from ibcore.pages.classification.extensions.optimizers.claims.gd_sgd_same_limit import (
    another_geometry,
    below_the_bound,
    beside_the_flow,
    scaled_limits,
)
from ibcore.pages.classification.extensions.optimizers.claims.normalized_gd_rate import (
    plain_steps,
    rates,
)
from ibcore.pages.classification.extensions.optimizers.claims.steepest_descent_norm_margin import (
    below_the_sum,
    in_own_norms,
)
from ibcore.problems.separable import planted_margin
from tests.conformance import falls


@pytest.mark.parametrize("judge", [below_the_bound, below_the_sum])
def test_a_member_beyond_its_bound_or_without_a_number(judge):
    assert judge(torch.tensor([0.5, 1.0])).holds
    assert not judge(torch.tensor([0.5, 1.01])).holds
    assert not judge(torch.tensor([0.5, math.nan])).holds


@pytest.mark.parametrize(
    ("part", "which"), [("losses", 0), ("turned", 1), ("apart", 2), ("distances", 3)]
)
def test_a_run_that_broke_down_is_not_beside_the_flow(part, which):
    both = torch.stack([torch.ones(4, 8), torch.full((4, 8), 0.3)]).double()
    measured = {
        "losses": torch.ones(4, 8).double(),
        "turned": torch.full((8,), 0.01).double(),
        "apart": both,
        "distances": both,
    }
    assert falls(beside_the_flow(**measured)) == []
    measured[part] = measured[part].clone()
    members = slice(None) if part == "distances" else 2
    measured[part].view(-1, 8)[0, members] = math.nan
    assert falls(beside_the_flow(**measured)) == [which]


def test_sgd_is_allowed_to_be_late_on_few_data_sets_only():
    losses, turned = torch.ones(4, 8).double(), torch.zeros(8).double()
    both = torch.stack([torch.ones(4, 8), torch.full((4, 8), 0.3)]).double()
    late = both.clone()
    late[1, 3, :2] = math.nan
    assert falls(beside_the_flow(losses, turned, both, late)) == []
    late[1, 3, :6] = math.nan
    assert falls(beside_the_flow(losses, turned, both, late)) == [4]


def test_every_loss_scaled_method_has_a_bar_of_its_own():
    sines = torch.full((4, 8), 1e-4).double()
    assert falls(scaled_limits(sines)) == []
    for row, which in ((0, 0), (1, 1), (2, 1), (3, 2)):
        lost = sines.clone()
        lost[row, 5] = math.nan
        assert falls(scaled_limits(lost)) == [which]


def test_rates_hold_for_shares_and_the_bound_for_every_data_set():
    slopes = torch.stack([torch.full((32,), -1.0), torch.full((32,), -0.55)]).double()
    share = torch.full((9, 2, 32), 0.1).double()
    assert falls(rates(slopes, -0.5573, share)) == []
    few, many = slopes.clone(), slopes.clone()
    few[:, :8], many[:, :17] = -2.0, math.nan
    assert falls(rates(few, -0.5573, share)) == []
    assert falls(rates(many, -0.5573, share)) == [0, 1, 2]
    slow = slopes.clone()
    slow[0, 3] = -0.8
    assert falls(rates(slow, -0.5573, share)) == [1]
    for bad in (1.01, math.nan):
        beyond = share.clone()
        beyond[3, 1, 7] = bad
        assert falls(rates(slopes, -0.5573, beyond)) == [3]


def test_each_descent_is_judged_in_its_own_norm():
    gaps = torch.full((3, 8, 3), 0.05).double()
    for k in range(3):
        gaps[k, :, k] = 1e-4
    assert falls(in_own_norms(gaps)) == []
    assert falls(in_own_norms(gaps.flip(-1))) == [0, 2, 3, 4]
    for k in range(3):
        lost = gaps.clone()
        lost[k, :6, k] = math.nan
        assert falls(in_own_norms(lost)) == [k, 3, 4]


def test_adam_without_a_number_lets_no_claim_stand():
    gaps = torch.tensor([0.1, 0.1, 1e-4]).double().repeat(8, 1)
    reach, missing = torch.ones(8).double(), torch.full((8,), math.nan).double()
    assert falls(of_adam(gaps, reach)) == []
    assert falls(of_adam(gaps, 1.001 * reach)) == [0]
    assert falls(of_adam(gaps.flip(-1) / 2, reach)) == [1, 2]
    assert falls(of_adam(gaps * math.nan, missing)) == [0, 1, 2]
    alone = reach.clone()
    alone[3] = math.nan
    assert falls(of_adam(gaps, alone)) == [0]


def test_adagrad_without_a_number_lets_no_claim_stand():
    weighted, l2 = torch.full((8,), 1e-4).double(), torch.full((8,), 0.1).double()
    missing = torch.full((8,), math.nan).double()
    assert falls(of_adagrad(weighted, l2)) == []
    assert falls(of_adagrad(l2, weighted)) == [0, 1]
    assert falls(of_adagrad(missing, l2)) == [0, 1]
    assert falls(of_adagrad(weighted, missing)) == [1]


@pytest.mark.parametrize("control", [another_geometry, plain_steps, with_epsilon])
def test_no_control_is_refuted_by_runs_without_a_number(control):
    assert not control(torch.full((8,), math.nan).double()).refuted


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
    """With beta1^2 > beta2 the first moment forgets more slowly, and Adam passes the
    limit log(1/beta2) / 2.
    """
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
