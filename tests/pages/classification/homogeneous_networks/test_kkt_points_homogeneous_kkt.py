"""What the claim homogeneous-kkt measures of single networks, and its judgment of
made-up measurements.
"""

import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.directions import Steepest
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Exponential
from ibcore.models.activations import LeakyReLU, SquaredReLU
from ibcore.models.network import of_neurons
from ibcore.pages.classification.homogeneous_networks.kkt_points.annealing import (
    ARC,
    SIGN_STEP,
    SIGN_STEPS,
    Beside,
    Halved,
    Residuals,
    kinked_paths,
    sign_descent,
    smooth_path,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.bars import CLARKE
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims import (
    homogeneous_kkt,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    LARGE,
    draw_networks,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.residuals import (
    EVERY,
    ClarkeEnds,
    SmoothEnds,
    clarke_ends,
    mean_residuals,
    residuals,
    smooth_ends,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.runs import (
    DEPTHS,
    annealed,
    followed,
)


def members(value):
    return torch.full((16,), value, dtype=torch.float64)


GOOD = Residuals(
    means=members(0.1),
    deep=members(0.1),
    smooth=SmoothEnds(members(1e-3), members(1e-5), members(1e-5)),
    kinked=ClarkeEnds(
        residual=members(5e-3),
        complementarity=members(1e-5),
        gap=members(1e-7),
        naive=members(0.2),
        kinks=members(50.0),
    ),
    averaged=members(0.01),
    sign=members(0.7),
    smooth_flow=Beside(*[members(1.0)] * 4),
    kinked_flow=Beside(members(40.0), *[members(1.0)] * 3),
    halved=Halved(members(0.1), members(3.0)),
    rejected=0,
    broken=(),
)
BAD = {
    ("smooth", "residual"): 1.0,
    ("smooth", "complementarity"): 1.0,
    ("smooth", "tangent"): 1.0,
    ("kinked", "residual"): 1.0,
    ("kinked", "complementarity"): 1.0,
    ("kinked", "gap"): 1.0,
    ("kinked", "naive"): 1e-3,
    ("kinked", "kinks"): 0.0,
    ("averaged",): 1.0,
    ("kinked_flow", "degrees"): 0.5,
    ("halved", "flow"): 10.0,
}


def spoiled(place, value, count):
    """GOOD with the last `count` members of one field at `value`."""
    name, *inner = place
    part = getattr(GOOD, name)
    column = (getattr(part, inner[0]) if inner else part).clone()
    column[16 - count :] = value
    return replace(
        GOOD, **{name: replace(part, **{inner[0]: column}) if inner else column}
    )


def judged(found):
    return homogeneous_kkt.judge(found)


def failures(found):
    return sum(not check.holds for check in judged(found).checks)


@pytest.mark.parametrize("place", BAD)
@pytest.mark.parametrize("missing", [False, True])
def test_each_residual_is_judged_and_one_that_is_missing_fails(place, missing):
    one = math.nan if missing else BAD[place]
    assert failures(GOOD) == 0
    assert failures(spoiled(place, one, 6)) == 0
    assert failures(spoiled(place, one, 7)) == 1


@pytest.mark.parametrize("name", ["means", "deep"])
@pytest.mark.parametrize("one", [1.1, math.nan])
def test_no_network_may_exceed_the_bound_of_its_flow(one, name):
    assert failures(spoiled((name,), one, 1)) == 1


def test_sign_descent_refutes_only_where_it_fits():
    assert judged(GOOD).control.refuted
    for other in (0.1, math.nan):
        assert not judged(spoiled(("sign",), other, 2)).control.refuted


def drawn(seed, draws=8, activation=None):
    setting = Setting("quick", seed)
    return draw_networks(setting, draws, "any", activation or SquaredReLU(), LARGE)


def test_sign_descent_is_not_refuted_where_descent_is_that_of_the_gradient():
    """The control changes the norm of the descent and nothing else; in the Euclidean
    norm it survives.
    """
    networks = drawn(1102105)
    length = SIGN_STEP * networks.theta.shape[1] ** 0.5
    theta = descend(
        Objective(networks.margins, Exponential()),
        networks.theta,
        constant(length),
        steps=[SIGN_STEPS],
        direction=Steepest(2, normalized=True),
    ).theta[-1]
    found = residuals(networks, theta, EVERY)
    assert not judged(replace(GOOD, sign=found)).control.refuted
    assert judged(
        replace(GOOD, sign=residuals(networks, sign_descent(networks), EVERY))
    ).control.refuted


def test_paths_of_the_flow_with_kinks_move_less_with_shorter_steps():
    networks = drawn(1102109, activation=LeakyReLU())
    end = annealed(networks, steps=800, finest=1e-5).direction
    path, halved = kinked_paths(networks, end, 800)
    assert bool((path.degrees > 10 * halved.flow).all())
    assert bool((path.log_loss < -30).all())
    assert bool((path.log_loss > -250).all())
    assert bool((path.residuals < 1).all())
    assert ARC == 1.75


def test_annealing_ends_elsewhere_than_the_flow():
    """On eight squared ReLU networks of another seed the flow at log L = -1e10 was 2 to
    39 degrees away.
    """
    networks = drawn(1102102)
    run, _ = followed(networks, log_loss=[-1e2, -1e10])
    end = annealed(networks, steps=1500, finest=3e-5).direction
    path = smooth_path(networks, run, end)
    assert float(path.degrees.median()) > 2
    assert float(path.margins.median()) < 1
    itself = smooth_path(networks, replace(run, theta=7 * end[None]), end)
    assert float(itself.degrees.max()) < 1e-5
    assert itself.margins.tolist() == pytest.approx([1.0] * 8)
    assert bool((itself.residuals < path.residuals).all())


def test_an_unfinished_network_would_not_hold():
    networks = drawn(3, 2, LeakyReLU())
    early = annealed(networks, steps=60, finest=1e-3)
    found, lost = clarke_ends(networks, early.direction)
    assert not bool((found.residual <= CLARKE).any())
    assert len(lost) == int(found.residual.isnan().sum())


def test_a_network_with_a_wrong_example_has_no_residual_and_says_why():
    networks = drawn(1102103, 2)
    theta = annealed(networks, steps=300, finest=1e-3).direction
    theta[1] = networks.theta[1] * torch.nan
    found, lost = smooth_ends(networks, theta)
    assert found.residual.isnan().tolist() == [False, True]
    assert found.tangent.isnan().tolist() == [False, True]
    assert len(lost) == 1
    assert lost[0].startswith("network 1: ")
    negative = theta.clone()
    negative[0, -LARGE.width :] *= -1
    assert bool(residuals(networks, negative)[0].isnan())


def test_the_mean_residual_is_over_the_networks_that_fit_and_keeps_what_is_missing():
    networks = drawn(1102104, 3)
    run, fitted = followed(networks, log_loss=list(DEPTHS[::8]))
    assert bool(fitted.all())
    means = mean_residuals(networks, run, torch.tensor([True, False, True]))
    assert means.shape == (2,)
    assert bool((means < 1).all())
    theta = run.theta.clone()
    theta[-1, 0] = math.nan
    lost = mean_residuals(networks, replace(run, theta=theta), fitted)
    assert lost.isnan().tolist() == [True, False, False]


def test_the_tangent_kernel_machine_sees_a_rescaled_network():
    networks = drawn(3, 1)
    direction = annealed(networks, steps=1500, finest=1e-4).direction
    a, w = networks.net.neurons(direction)
    rescaled = of_neurons(4 * a, w / 2)
    torch.testing.assert_close(
        networks.net.outputs(rescaled), networks.net.outputs(direction)
    )
    assert float(smooth_ends(networks, direction)[0].tangent) < 1e-2
    other = smooth_ends(networks, rescaled / rescaled.norm())[0]
    assert float(other.tangent) > 0.2
