import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.pages.further.balancedness import claims as page
from ibcore.pages.further.balancedness import rational, runs
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {page.balancedness.id: page.balancedness}
CPU = torch.device("cpu")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def test_the_control_survives_where_its_assumption_holds(verdicts):
    """The same measurement with a linear activation in place of tanh: degree 1, biases,
    one hidden layer.
    """
    found = verdicts["balancedness"].measured
    nets = runs.drawn([1, 2, 3, 4, 5, 6, 7, 8], CPU).relu.with_activation("identity")
    changes = page._smooth_changes(nets)
    control = page.balancedness.judge(dataclasses.replace(found, tanh=changes)).control
    assert not control.refuted


def test_the_networks_do_meet_kinks_and_slide(verdicts):
    kinks = verdicts["balancedness"].measured.kinks
    assert float(kinks[0].min()) > 0
    assert float(kinks[1].max()) > 0


def test_weights_of_another_degree_are_not_conserved():
    """Squared ReLU with the weights of ReLU: the conserved quantity is a matter of the
    degree.
    """
    nets = runs.drawn([11, 12], CPU).squared
    path = runs.smooth_path(nets, 1e-8, (1.0,))
    W, b = nets.parts(torch.cat([nets.start[None], path]))
    plain = W[1][..., 0, :].square() - W[0].square().sum(-1) - b[0].square()
    assert float((plain[1] - plain[0]).abs().amax(-1).min()) > 1e-3


@pytest.mark.parametrize("step", [Fraction(1, 10), Fraction(3)])
def test_the_change_in_a_step_is_exact_in_fractions(step):
    rng = np.random.default_rng(7301)

    def draw(*shape):
        whole = rng.integers(-9, 10, shape)
        return [[Fraction(int(v), 7) for v in row] for row in np.atleast_2d(whole)]

    for _ in range(5):
        changes, predicted = rational.exact_step(
            draw(4, 3), draw(4)[0], draw(6, 3), draw(6)[0], step
        )
        assert changes == predicted
        assert any(change != 0 for change in changes)


def test_balanced_networks_have_no_imbalance():
    nets = runs.balanced(runs.drawn([21, 22], CPU).relu)
    assert float(nets.imbalance(nets.start).abs().max()) < 1e-15
    assert nets.start.shape == runs.drawn([21, 22], CPU).relu.start.shape


def test_descent_approaches_the_flow_through_the_kinks():
    nets = runs.drawn([31, 32, 33, 34], CPU).relu
    apart = runs.distances_to_flow(nets, (500, 2000))
    assert bool((apart[1] < 0.5 * apart[0]).all())


def poisoned(values, members):
    lost = values.clone()
    lost[..., :members] = math.nan
    return lost


def test_a_change_without_a_number_is_not_conserved():
    good = [torch.full((8,), 1e-14).double() for _ in range(3)]
    assert falls(page._conserved(*good)) == []
    for place in range(3):
        for bad in (poisoned(good[place], 1), good[place] + 2e-12):
            parts = [*good]
            parts[place] = bad
            assert falls(page._conserved(*parts)) == [place]


def test_the_exponent_of_the_tolerance():
    sizes = torch.tensor(runs.TOLERANCES).double()[:, None].expand(-1, 8)
    pair = torch.tensor([page.LOOSE, runs.TIGHT]).double()[:, None].expand(-1, 8)
    assert page._tolerance(sizes, pair).holds
    assert not page._tolerance(sizes * 0 + 0.1, pair).holds
    assert not page._tolerance(poisoned(sizes, 5), poisoned(pair, 5)).holds


def descents(**changed):
    eight = torch.full((8,), 1e-14).double()
    sizes = torch.tensor(runs.STEP_SIZES).double()[:, None, None]
    parts = {
        "changes": sizes * torch.ones(4, 8, 5).double(),
        "identity": eight,
        "bound": eight + 0.2,
        "decrease": eight + 0.9,
    }
    return runs.Descents(**(parts | changed))


def test_steps_that_break_their_identity_or_their_bound():
    good = descents()
    assert falls(page._steps(good, good)) == []
    for bad in (poisoned(good.identity, 1), good.identity + 2e-12):
        assert falls(page._steps(descents(identity=bad), good)) == [0]
        assert falls(page._steps(good, descents(identity=bad))) == [1]
    for changed in (
        {"bound": poisoned(good.bound, 1)},
        {"bound": good.bound + 1},
        {"decrease": good.decrease - 0.5},
        {"decrease": poisoned(good.decrease, 1)},
    ):
        assert falls(page._steps(descents(**changed), good)) == [2]


def test_drift_that_is_not_of_first_order(verdicts):
    found = dataclasses.replace(
        verdicts["balancedness"].measured,
        linear_descent=descents(),
        relu_descent=descents(),
        integral=torch.ones(8, 5).double(),
    )
    assert falls(page._drift(found)) == []
    square = descents(changes=descents().changes ** 2)
    lost = descents(changes=poisoned(descents().changes.mT, 5).mT)

    def judged(**changed):
        return falls(page._drift(dataclasses.replace(found, **changed)))

    assert judged(linear_descent=square) == [0, 2]
    assert judged(linear_descent=lost) == [0, 2]
    assert judged(relu_descent=square) == [1]
    assert judged(relu_descent=lost) == [1]
    assert judged(integral=found.integral * 1.01) == [2]


def test_imbalances_that_do_not_decay_as_they_should():
    good = torch.full((8,), 1e-14).double()
    assert falls(page._decays(good, good)) == []
    assert falls(page._decays(poisoned(good, 1), good)) == [0]
    assert falls(page._decays(good, good + 1e-3)) == [1]


def test_a_flow_that_ends_early_is_told_and_fails():
    problems = page.draw_networks(Setting("quick", 0), networks=8)
    nets = problems.relu
    lost = nets.start.clone()
    lost[0] *= 1e200
    broken = dataclasses.replace(problems, relu=dataclasses.replace(nets, start=lost))
    path, flows = runs.kinked_runs(broken.relu, 1e-6)
    assert not flows[0].complete
    changes = runs.relative_change(broken.relu, path)
    assert bool(changes[0].isnan())
    assert bool(changes[1:].isfinite().all())


def test_own_data_take_the_place_of_drawn_ones():
    rng = np.random.default_rng(7302)
    X = rng.normal(size=(9, 2)) * 100 + 5
    problems = page.own_networks(Setting("quick", 0), X, X[:, 0] - 7, networks=8)
    inputs = problems.relu.model.inputs
    assert inputs.shape == (8, 9, 2)
    assert float(inputs.square().mean()) == pytest.approx(1)
    assert problems.linear.targets.shape == (8, 9)
    assert problems.linear.imbalance(problems.linear.start).shape == (8, 32)
    with pytest.raises(InvalidInput, match="constant"):
        page.own_networks(Setting("quick", 0), X * 0, X[:, 0], networks=8)
