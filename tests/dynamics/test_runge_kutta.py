"""Single steps: their order, their error estimates, and flows they follow exactly."""

import numpy as np
import pytest
import torch
from scipy.integrate import DOP853, solve_ivp

from ibcore.dynamics.runge_kutta import combine, explicit_step, rosenbrock_step
from ibcore.dynamics.scaled_field import evaluate, scaled_field
from ibcore.losses import Exponential, Logistic
from ibcore.models.linear import Linear
from tests.cases import normal
from tests.dynamics.rows import zeros

STEPS = {"explicit": explicit_step, "rosenbrock": rosenbrock_step}
MODEL = Linear(torch.tensor([[1.0, 0.5], [0.4, -0.3], [-0.2, 0.9]]).double())


def end_of_fixed_steps(step, model, theta, count, length=2.0):
    for _ in range(count):
        start = evaluate(model, Logistic(), theta)
        theta = step(
            model,
            Logistic(),
            start,
            torch.full((len(theta),), length / count, dtype=theta.dtype),
            1.0,
        )[0]
    return theta


@pytest.mark.parametrize(
    ("step", "counts", "order"),
    [(explicit_step, [2, 3, 4, 6], 8), (rosenbrock_step, [8, 16, 32], 4)],
)
def test_single_steps_have_the_order_of_their_method(step, counts, order):
    model = Linear(
        torch.tensor([[1.0, 0.5], [0.4, -0.3], [-0.2, 0.9]], dtype=torch.float64)
    )
    exact = end_of_fixed_steps(explicit_step, model, zeros(1, 2), 16)
    errors = [
        float((end_of_fixed_steps(step, model, zeros(1, 2), count) - exact).norm())
        for count in counts
    ]
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(
        order, rel=0.1
    )


def one_step(step, h, tolerance=1.0, theta=None, model=MODEL, loss=None):
    loss = loss or Logistic()
    theta = zeros(1, 2) if theta is None else theta
    return step(
        model,
        loss,
        evaluate(model, loss, theta),
        torch.full((len(theta),), h, dtype=torch.float64),
        tolerance,
    )


def solved(h, theta=None, model=MODEL, loss=None):
    loss = loss or Logistic()

    def field(_, w):
        return scaled_field(model, loss, torch.from_numpy(w)[None])[0].numpy()

    start = np.zeros(2) if theta is None else theta[0].numpy()
    run = solve_ivp(field, (0, h), start, method="DOP853", rtol=1e-13, atol=1e-14)
    return torch.from_numpy(run.y[:, -1])


@pytest.mark.parametrize("name", STEPS)
def test_one_step_is_close_to_the_flow(name):
    found, error, _ = one_step(STEPS[name], 0.5)
    exact = solved(0.5)
    assert float((found[0] - exact).norm()) < 1e-4
    assert float((found[0] - exact).norm()) <= float(error)


@pytest.mark.parametrize("name", STEPS)
def test_on_one_row_the_field_is_constant_and_a_step_of_any_length_exact(name):
    row = torch.tensor([[0.6, -1.0]]).double()
    start = torch.tensor([[3.0, 1.0]]).double()
    for h in (1e-3, 1.0, 1e4):
        found, error, _ = one_step(
            STEPS[name], h, theta=start, model=Linear(row), loss=Exponential()
        )
        torch.testing.assert_close(found, start + h * row, rtol=1e-12, atol=1e-14)
        assert float(error) < 1e-9


@pytest.mark.parametrize("name", STEPS)
def test_an_error_is_measured_in_tolerances(name):
    coarse, fine = (one_step(STEPS[name], 1.0, t)[1] for t in (1e-2, 1e-4))
    torch.testing.assert_close(fine, 100 * coarse, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("name", "order"), [("explicit", 8), ("rosenbrock", 4)])
def test_the_estimate_falls_with_the_step_as_the_next_step_is_chosen(name, order):
    """Steps are changed by the power 1/order of the error: halved, it falls by
    2^order.
    """
    lengths = (0.8, 0.4) if name == "explicit" else (0.1, 0.05)
    errors = [float(one_step(STEPS[name], h)[1]) for h in lengths]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.5)


@pytest.mark.parametrize("name", STEPS)
def test_members_step_for_themselves(name):
    theta, h = normal(3, 2, seed=1), torch.tensor([0.1, 1.0, 3.0]).double()
    point = evaluate(MODEL, Logistic(), theta)
    found, error, _ = STEPS[name](MODEL, Logistic(), point, h, 1e-3)
    for b in range(3):
        alone = evaluate(MODEL, Logistic(), theta[b : b + 1])
        one, its, _ = STEPS[name](MODEL, Logistic(), alone, h[b : b + 1], 1e-3)
        torch.testing.assert_close(found[b : b + 1], one)
        torch.testing.assert_close(error[b : b + 1], its, rtol=1e-6, atol=1e-12)


def test_a_stiff_field_is_damped_by_the_implicit_step_alone():
    """Rows of length 100: the step is 1e4 times longer than the explicit one may be,
    and ends near the slow manifold on which both margins are equal.
    """
    model = Linear(torch.tensor([[1.0, 100.0], [1.0, -100.0]]).double())
    start = torch.tensor([[0.0, 1e-3]]).double()
    found, _, _ = one_step(rosenbrock_step, 1.0, theta=start, model=model)
    assert abs(float(found[0, 1])) < 1e-3
    assert float(found[0, 0]) == pytest.approx(1, abs=1e-2)
    wild, error, _ = one_step(explicit_step, 1.0, 1e-3, theta=start, model=model)
    assert abs(float(wild[0, 1])) > 1
    assert float(error) > 1


def test_the_step_stays_in_the_span_of_the_rows():
    rows = normal(2, 5, seed=2)
    off = torch.linalg.svd(rows, full_matrices=True).Vh[2:]
    start = normal(1, 5, seed=3)
    for step in STEPS.values():
        found, _, _ = one_step(step, 2.0, theta=start, model=Linear(rows))
        torch.testing.assert_close(found @ off.T, start @ off.T)


def test_evaluations_are_stages():
    class Counted(Linear):
        calls = 0

        def outputs(self, theta):
            type(self).calls += 1
            return super().outputs(theta)

    model = Counted(MODEL.inputs)
    point = evaluate(model, Logistic(), zeros(1, 2))
    Counted.calls = 0
    _, _, count = explicit_step(model, Logistic(), point, torch.ones(1).double(), 1.0)
    assert Counted.calls == count - 1


def test_stages_that_are_not_there_count_nothing():
    stages = [torch.ones(2, 3), 2 * torch.ones(2, 3)]
    found = combine(np.array([0.5, -1.0, 7.0, 0.0]), stages)
    assert found.equal(torch.full((2, 3), -1.5))


def far_error(distance, *, third, tolerance=1e-9):
    """The error of a step at two equal margins of size `distance`, and one `third` times
    as large that weighs nothing.
    """
    rows = torch.tensor([[1.0, 0.5], [1.0, -0.5], [third, 0.0]]).double()
    start = torch.tensor([[distance, 0.25]]).double()
    args = (0.5, tolerance, start, Linear(rows), Exponential())
    return float(one_step(rosenbrock_step, *args)[1])


def test_weights_far_out_are_granted_the_rounding_of_their_margins():
    """Far out the flow is the same. A weight is known to 1024 rounding units of the
    largest margin, and where that is more than the tolerance it takes its place.
    """
    near, far = far_error(2.0**10, third=2.0), far_error(2.0**20, third=2.0)
    unit = 1024 * torch.finfo(torch.float64).eps
    allowed = [1e-9 + unit * 2.0 * 2.0**power for power in (10, 20)]
    assert near / far == pytest.approx(allowed[1] / allowed[0], rel=1e-3)
    assert far / far_error(2.0**20, third=6.0) == pytest.approx(3, rel=0.01)
    assert far / far_error(2.0**20, third=2.0, tolerance=1e-5) == pytest.approx(
        1e-5 / allowed[1], rel=0.06
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("start", [[0.0, 0.0], [-3.0, 0.5]])
def test_the_explicit_step_and_its_error_are_those_of_scipy(start, sign):
    """With the tolerance 0.01 (1 + |theta|), from the larger of both ends."""
    model, h = Linear(sign * MODEL.inputs), 0.9
    theta = sign * torch.tensor([start]).double()

    def field(_, w):
        return scaled_field(model, Logistic(), torch.from_numpy(w)[None])[0].numpy()

    solver = DOP853(field, 0, theta[0].numpy(), h, first_step=h, rtol=0.1, atol=0.1)
    solver.step()
    assert solver.t == h
    found, error, _ = one_step(explicit_step, h, 0.01, theta, model)
    np.testing.assert_allclose(found[0], solver.y, rtol=1e-13, atol=1e-14)
    scale = 0.01 * (1 + np.maximum(np.abs(theta[0].numpy()), np.abs(solver.y)))
    expected = solver._estimate_error_norm(solver.K, h, scale)
    assert float(error) == pytest.approx(expected, rel=1e-6)
