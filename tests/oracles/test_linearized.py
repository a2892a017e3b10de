import cvxpy as cp
import pytest
import torch
from scipy.linalg import expm

from ibcore.oracles.infinite_width import limit_kernel
from ibcore.oracles.linearized import (
    descent_outputs,
    flow_outputs,
    least_change,
    limit_outputs,
)


def problem(members=2, n=4, new=3):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    points = draw(members, n + new, 5)
    return (
        limit_kernel(points, points[:, :n], 1, 0.0),
        draw(members, n + new),
        draw(members, n),
    )


def test_the_flow_on_training_inputs_is_a_matrix_exponential():
    kernel, start, y = problem()
    found = flow_outputs(kernel, start, y, torch.tensor([0.0, 0.7, 30.0]))
    torch.testing.assert_close(found[0], start)
    for member in range(2):
        matrix = expm(-2 * 0.7 / 4 * kernel[member, :4].numpy())
        rest = (start[member, :4] - y[member]).numpy()
        expected = y[member] + torch.from_numpy(matrix @ rest)
        torch.testing.assert_close(found[1, member, :4], expected)


def test_the_flow_obeys_its_equation_everywhere():
    kernel, start, y = problem()
    step = 1e-5
    times = torch.tensor([1 - step, 1.0, 1 + step], dtype=torch.float64)
    path = flow_outputs(kernel, start, y, times)
    speed = (path[2] - path[0]) / (2 * step)
    pull = kernel @ (path[1, :, :4] - y)[..., None]
    torch.testing.assert_close(speed, -2 / 4 * pull[..., 0], rtol=1e-6, atol=1e-8)


def test_times_of_their_own_for_each_member():
    kernel, start, y = problem()
    times = torch.tensor([[0.5, 2.0]]).double()
    found = flow_outputs(kernel, start, y, times)[0]
    for member, time in enumerate((0.5, 2.0)):
        alone = flow_outputs(kernel, start, y, torch.tensor([time]))
        torch.testing.assert_close(found[member], alone[0, member])


def test_descent_step_by_step():
    kernel, start, y = problem()
    size = torch.tensor([0.1, 0.2]).double()
    f = start
    for _ in range(7):
        f = f - 2 / 4 * size[:, None] * (kernel @ (f[:, :4] - y)[..., None])[..., 0]
    found = descent_outputs(kernel, start, y, torch.tensor([0, 7]), size)
    torch.testing.assert_close(found[0], start)
    torch.testing.assert_close(found[1], f)


def test_small_steps_are_the_flow_and_late_times_the_limit():
    kernel, start, y = problem()
    size = torch.full((2,), 1e-5).double()
    steps = descent_outputs(kernel, start, y, torch.tensor([100_000]), size)
    flow = flow_outputs(kernel, start, y, torch.tensor([1.0, 1e6]))
    torch.testing.assert_close(steps[0], flow[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(flow[1], limit_outputs(kernel, start, y))
    torch.testing.assert_close(limit_outputs(kernel, start, y)[:, :4], y)


def test_the_limit_has_the_least_norm_among_all_functions_of_the_kernel():
    """A convex program in the values at training and new inputs."""
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    y = torch.tensor([1.0, -1.0, 2.0, 0.0]).double()
    start = torch.randn(7, generator=generator, dtype=torch.float64)
    gram = limit_kernel(points, points, 2, 0.3)
    values = cp.Variable(7)
    norm = cp.matrix_frac(values, gram.numpy())
    fits = [values[:4] == (y - start[:4]).numpy()]
    best = cp.Problem(cp.Minimize(norm), fits).solve(solver=cp.CLARABEL)
    batch = gram[None, :, :4], start[None], y[None]
    expected = start + torch.from_numpy(values.value)
    torch.testing.assert_close(limit_outputs(*batch)[0], expected, rtol=0, atol=1e-6)
    assert float(least_change(*batch)) == pytest.approx(best**0.5, rel=1e-6)


def test_a_singular_kernel_takes_nobody_with_it():
    kernel, start, y = problem()
    kernel[0, 1] = kernel[0, 0]
    kernel[0, :, 1] = kernel[0, :, 0]
    for found in (
        limit_outputs(kernel, start, y),
        flow_outputs(kernel, start, y, torch.tensor([1.0]))[0],
    ):
        assert bool(found[0].isnan().all())
        assert bool(found[1].isfinite().all())
