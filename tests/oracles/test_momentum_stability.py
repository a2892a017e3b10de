import pytest
import torch

from ibcore.oracles.momentum_stability import companion, largest_stable_curvature
from ibcore.validation import InvalidInput

METHODS = [(0.0, False), (0.5, False), (0.9, False), (0.5, True), (0.9, True)]


def radius(scaled, beta, nesterov):
    matrix = companion(scaled, beta, nesterov=nesterov)
    return float(torch.linalg.eigvals(matrix).abs().max())


@pytest.mark.parametrize(("beta", "nesterov"), METHODS)
def test_the_threshold_is_where_the_step_becomes_unstable(beta, nesterov):
    bound = largest_stable_curvature(1.0, beta, nesterov=nesterov)
    for share in torch.linspace(0.01, 0.999, 60).tolist():
        assert radius(share * bound, beta, nesterov) < 1
    assert radius(bound, beta, nesterov) == pytest.approx(1, abs=1e-12)
    assert radius(1.001 * bound, beta, nesterov) > 1
    values = torch.linalg.eigvals(companion(1.001 * bound, beta, nesterov=nesterov))
    assert float(values[values.abs().argmax()].real) < -1


@pytest.mark.parametrize(("beta", "nesterov"), METHODS)
def test_steps_on_a_quadratic_agree(beta, nesterov):
    """Momentum as it is written on the page, with gradients of z^2 h / 2, on both sides
    of the threshold.
    """
    eta = 0.2
    bound = largest_stable_curvature(eta, beta, nesterov=nesterov)
    for share, stable in ((0.98, True), (1.02, False)):
        z, v = 1.0, 0.0
        for _ in range(3000):
            push = -eta * share * bound * z
            v = beta * v + push
            z += beta * v + push if nesterov else v
        assert (abs(z) < 1e-3) is stable


def test_known_values_and_shapes():
    assert largest_stable_curvature(0.1) == 20
    assert largest_stable_curvature(0.1, 0.9) == pytest.approx(38)
    sizes = torch.tensor([0.1, 0.2], dtype=torch.float64)
    expected = torch.tensor([15.0, 7.5], dtype=torch.float64)
    torch.testing.assert_close(
        largest_stable_curvature(sizes, 0.5, nesterov=True), expected
    )


@pytest.mark.parametrize("beta", [-0.1, 1.0, float("nan")])
def test_a_momentum_that_is_none_is_refused(beta):
    with pytest.raises(InvalidInput, match="beta"):
        largest_stable_curvature(0.1, beta)
