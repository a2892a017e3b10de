import pytest
import torch
from scipy.integrate import solve_ivp

from ibcore.oracles import edge_drift

STARTS = torch.tensor([0.3, 0.5, 1.0, 2.0, 4.0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("drift", "field"),
    [
        (edge_drift.normalized_drift, lambda _, y: -y / (2 * (1 + y**2))),
        (edge_drift.root_drift, lambda _, y: -y / 2),
    ],
)
def test_closed_forms_solve_their_equations(drift, field):
    solved = solve_ivp(field, (0, 3), STARTS.numpy(), rtol=1e-11, atol=1e-12).y[:, -1]
    end = drift(STARTS, torch.tensor(3.0, dtype=torch.float64))
    torch.testing.assert_close(end, torch.tensor(solved), rtol=1e-9, atol=0)
    torch.testing.assert_close(drift(STARTS, torch.zeros(1).double()), STARTS)


@pytest.mark.parametrize("kind", ["normalized", "root"])
def test_first_integrals_fall_by_half_of_the_time(kind):
    drift, integral = (
        getattr(edge_drift, f"{kind}_{part}") for part in ("drift", "integral")
    )
    tau = torch.linspace(0, 2, 5, dtype=torch.float64)[:, None]
    fallen = integral(drift(STARTS, tau)) - integral(STARTS)
    torch.testing.assert_close(fallen, (-tau / 2).expand_as(fallen))


def test_the_drifts_are_those_of_the_theorem():
    """-(log lambda)' / 4 and -lambda' / 8 with lambda the largest curvature on the
    valley, by differences.
    """
    step = 1e-5
    zero, tau = torch.zeros_like(STARTS), torch.tensor(step, dtype=torch.float64)

    def curvature(y):
        return edge_drift.largest_curvature(zero, y)

    rise = (curvature(STARTS + step) - curvature(STARTS - step)) / (2 * step)
    for drift, expected in (
        (edge_drift.normalized_drift, -rise / curvature(STARTS) / 4),
        (edge_drift.root_drift, -rise / 8),
    ):
        speed = (drift(STARTS, tau) - STARTS) / step
        torch.testing.assert_close(speed, expected, rtol=1e-4, atol=1e-6)


def test_largest_curvature_is_that_of_the_hessian():
    x, y = torch.tensor([0.3, -0.02]).double(), torch.tensor([1.5, 0.4]).double()
    for place, value in zip(
        zip(x, y, strict=True), edge_drift.largest_curvature(x, y), strict=True
    ):
        hessian = torch.autograd.functional.hessian(
            lambda theta: (1 + theta[1] ** 2) * theta[0] ** 2, torch.stack(place)
        )
        assert float(torch.linalg.eigvalsh(hessian)[-1]) == pytest.approx(float(value))
