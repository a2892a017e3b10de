import dataclasses
import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes

from ibcore.claims import Setting
from ibcore.dynamics.trajectory import NOT_FINITE
from ibcore.pages.further.modified_losses import claims as page
from ibcore.pages.further.modified_losses import runs
from ibcore.pages.further.modified_losses.claims.igr_ntk_identity import Identities
from ibcore.pages.further.modified_losses.claims.modified_loss_sgd import Epochs
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {
    claim.id: claim
    for claim in (page.modified_loss_gd, page.modified_loss_sgd, page.igr_ntk_identity)
}
CPU = torch.device("cpu")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def descent(orders=(1.0, 2.0, 1.0)):
    """A made-up measurement of eight networks with these orders."""
    etas = torch.tensor([0.04, 0.02, 0.01]).double()[:, None].expand(3, 8)
    distances = torch.stack([etas**order for order in orders])
    return runs.Distances(
        etas, distances, torch.full((8,), 1e-3).double(), distances * 1e-4
    )


def poisoned(values, index):
    lost = values.clone()
    lost[index] = math.nan
    return lost


def test_the_orders_of_gradient_descent_decide():
    judge = page.modified_loss_gd.judge
    assert falls(judge(descent()).checks) == []
    assert judge(descent()).control.refuted
    assert falls(judge(descent((1.1, 2.0, 1.0))).checks) == [1]
    assert falls(judge(descent((1.0, 1.9, 1.0))).checks) == [2]
    assert falls(judge(descent((1.0, 2.1, 1.0))).checks) == [3]
    assert not judge(descent((1.0, 2.0, 2.0))).control.refuted
    late = dataclasses.replace(descent(), missed=torch.full((8,), 0.03).double())
    assert falls(judge(late).checks) == [4]
    rough = dataclasses.replace(descent(), difference=descent().distances)
    assert falls(judge(rough).checks) == [0]


@pytest.mark.parametrize(("flow", "which"), [(0, [1]), (1, [0, 2, 3]), (2, [])])
def test_a_network_without_a_number_lets_its_check_fall(flow, which):
    good = descent()
    lost = dataclasses.replace(
        good, distances=poisoned(good.distances, (flow, slice(None), 3))
    )
    evidence = page.modified_loss_gd.judge(lost)
    assert falls(evidence.checks) == which
    assert evidence.control.refuted == (flow != 2)
    lost = dataclasses.replace(good, missed=poisoned(good.missed, 5))
    assert falls(page.modified_loss_gd.judge(lost).checks) == [4]


def shuffled(orders=(2.0, 2.0, 3.0), fixed=2.0):
    good = descent(orders)
    return Epochs(
        good.etas,
        good.distances,
        good.etas**fixed,
        torch.full((2, 8), 1e-3).double(),
        good.distances[2] * 1e-4,
        24,
    )


def test_the_orders_of_an_epoch_decide():
    judge = page.modified_loss_sgd.judge
    assert falls(judge(shuffled()).checks) == []
    assert judge(shuffled()).control.refuted
    for orders, which in (
        ((2, 2, 2.9), [1]),
        ((2, 2, 3.1), [2]),
        ((2.1, 2, 3), [3]),
        ((2, 1.85, 3), [4]),
    ):
        assert falls(judge(shuffled(orders)).checks) == which
    assert not judge(shuffled(fixed=3.0)).control.refuted
    good = shuffled()
    for flow, which in ((0, [3]), (1, [4]), (2, [0, 1, 2])):
        values = poisoned(good.distances, (flow, slice(None), 3))
        assert falls(judge(dataclasses.replace(good, distances=values)).checks) == which
    for flow in (0, 1):
        values = poisoned(good.missed, (flow, 3))
        assert falls(judge(dataclasses.replace(good, missed=values)).checks) == [
            5 + flow
        ]
    lost = dataclasses.replace(good, fixed=poisoned(good.fixed, (slice(None), 0)))
    assert not judge(lost).control.refuted


def test_one_kernel_that_is_off_decides():
    judge = page.igr_ntk_identity.judge
    one = torch.ones(4, 2, 8).double()
    assert falls(judge(Identities(one, one, one / 2)).checks) == []
    assert judge(Identities(one, one, one / 2)).control.refuted
    for wrong in (1 + 2e-12, math.nan):
        kernel = one.clone()
        kernel[2, 1, 4] = wrong
        assert falls(judge(Identities(one, kernel, one / 2)).checks) == [0]
        assert not judge(Identities(one, one, kernel)).control.refuted


def test_the_control_survives_where_its_assumption_holds(verdicts):
    """A quarter of eta, and the mean over all orders, in the place of the control's
    measurement.
    """
    found = verdicts["modified-loss-gd"].measured
    kept = dataclasses.replace(found, distances=found.distances[[0, 1, 1]])
    assert not page.modified_loss_gd.judge(kept).control.refuted
    found = verdicts["modified-loss-sgd"].measured
    kept = dataclasses.replace(found, fixed=found.distances[2])
    assert not page.modified_loss_sgd.judge(kept).control.refuted
    found = verdicts["igr-ntk-identity"].measured
    kept = dataclasses.replace(found, last=found.kernel)
    assert not page.igr_ntk_identity.judge(kept).control.refuted


def test_deviations_from_the_orders_halve_with_the_step(verdicts):
    """The convergence study behind the bars: between the pairs of steps the deviation
    falls by a factor of two.
    """
    for found, flow, order in (
        (verdicts["modified-loss-gd"].measured, 1, 2),
        (verdicts["modified-loss-sgd"].measured, 2, 3),
    ):
        steps = [(-4, -2), (-3, -1)]
        gaps = [
            runs.last_slopes(found.etas[[a, b]], found.distances[flow][[a, b]][None])[0]
            - order
            for a, b in steps
        ]
        first, second = (gap.abs().max() for gap in gaps)
        assert float(second / first) == pytest.approx(0.5, abs=0.1)


def test_the_distance_to_a_wrong_coefficient_is_as_derived():
    """|1 - 4c| of the distance to gradient flow, to first order in the step."""
    networks = runs.Networks.draw([1, 2, 3], 8, CPU)
    found = runs.distances(networks, (400,), (0.0, -0.25, 0.125, 0.5, 0.75))
    ratios = found.distances[:, 0] / found.distances[0, 0]
    for row, expected in zip(ratios, (1, 2, 0.5, 1, 2), strict=True):
        torch.testing.assert_close(
            row, torch.full_like(row, expected), rtol=0.02, atol=0
        )


def test_epochs_see_every_batch_once_in_their_order():
    """Replay one order of one network by hand."""
    networks = runs.Networks.draw([4, 5], 6, CPU)
    etas = torch.tensor([[0.1, 0.05], [0.02, 0.01]]).double() * networks.unit
    orders = runs.every_order(3)
    ends, broken = runs.epochs(networks, etas, orders)
    assert broken == ()
    assert ends.shape == (2, 2, 6, networks.start.shape[1])
    step, member, order = 1, 1, 4
    theta = networks.start[member : member + 1]
    for batch in orders[order].tolist():
        part = networks.objective().select(torch.tensor([member]))
        part = part.minibatch(torch.arange(2) + 2 * batch)
        theta = theta + etas[step, member] * part.at(theta).slope[0]
    torch.testing.assert_close(ends[step, member, order], theta[0], rtol=0, atol=1e-14)


def test_an_order_and_its_reverse_do_as_well_as_all():
    networks = runs.Networks.draw([6, 7, 8], 12, CPU)
    etas = torch.tensor([0.01, 0.005]).double()[:, None] * networks.unit / 4
    pair = torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])
    mean = runs.epochs(networks, etas, pair)[0].mean(2)
    there = runs.rival_flows(networks, etas, 4).theta[0].unflatten(0, (3, 2, 3))
    slopes = runs.last_slopes(etas, (mean - there).norm(dim=-1))
    torch.testing.assert_close(
        slopes[2], torch.full((3,), 3.0).double(), rtol=0, atol=0.05
    )


def test_over_a_fixed_time_the_mean_has_order_two():
    networks = runs.Networks.draw([9, 10, 11], 6, CPU)
    (few, few_plain), (many, many_plain) = (
        runs.many_epochs(networks, count) for count in (4, 8)
    )
    assert float((few / many).log2().sub(2).abs().max()) < 0.12
    assert float((few_plain / many_plain).log2().sub(1).abs().max()) < 0.12


def test_the_imbalance_of_the_product_model():
    """A step multiplies a^2 - b^2 by 1 - 4 eta^2 r^2 exactly; the modified flow has q'
    = -4 eta r^2 q.
    """
    eta = 0.05
    path = runs.product_descent((1.8, -1.2), eta, 1.0)
    q = path[:, 0].square() - path[:, 1].square()
    r = path.prod(-1) - 1
    torch.testing.assert_close(q[1:], q[:-1] * (1 - 4 * eta**2 * r[:-1] ** 2))
    shares = (0.2, 0.2 + 1e-5, 1.0)
    flow = runs.product_flows((1.8, -1.2), (eta,), 1.0, shares)[:, 0]
    q = flow[:, 0].square() - flow[:, 1].square()
    speed = (q[1] - q[0]) / 1e-5
    expected = -4 * eta * float(flow[0].prod() - 1) ** 2 * float(q[0])
    assert float(speed) == pytest.approx(expected, rel=1e-3)


def test_a_run_that_ends_early_is_told():
    """Far beyond the stable step the last epoch's size sends a network away."""
    networks = runs.Networks.draw(list(range(8)), 8, CPU)
    far = dataclasses.replace(networks, unit=networks.unit * 1e6)
    ends, _, broken = runs.descents(far, (400,))
    lost = ends.isnan().any(-1)
    assert len(broken) == int(lost.sum()) > 0
    assert all(NOT_FINITE in word for word in broken)


def test_own_data_take_the_place_of_drawn_ones():
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:26] / X[:26].std(0), (y[:26] - y[:26].mean()) / y[:26].std()
    verdict = page.modified_loss_gd.verify(data=(X, y))
    assert falls(verdict.evidence.checks) == []
    assert verdict.evidence.notes == {"networks": 8}
    verdict = page.modified_loss_sgd.verify(data=(X, y))
    assert falls(verdict.evidence.checks) == []
    assert verdict.evidence.notes == {"networks": 8, "orders": 24}
    assert page.igr_ntk_identity.verify(data=(X, y)).stands
    with pytest.raises(InvalidInput, match="too few"):
        page.modified_loss_sgd.verify(data=(X[:3], y[:3]))
    with pytest.raises(InvalidInput):
        page.modified_loss_gd.verify(data=(X, y[:4]))
    with pytest.raises(InvalidInput, match="divided"):
        runs.mean_losses(torch.zeros(1, 5, 1), torch.zeros(1, 5), 2)


def test_the_seeds_of_a_setting_are_its_own():
    first, again, other = (
        page.modified_loss_gd.problems(Setting("quick", seed)).start
        for seed in (1, 1, 2)
    )
    assert bool((first == again).all())
    assert float((first - other).abs().max()) > 0.1
    assert not np.allclose(first[0], first[1])
