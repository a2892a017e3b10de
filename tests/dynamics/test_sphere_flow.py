import pytest
import torch

from ibcore.dynamics.log_time import flow
from ibcore.dynamics.sphere_flow import sphere_flow
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.models.activations import SquaredReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.oracles.max_margin import max_margin
from ibcore.validation import InvalidInput


def test_a_linear_predictor_ends_at_the_maximum_margin():
    generator = torch.Generator().manual_seed(0)
    X, y = (
        torch.randn(6, 9, generator=generator).double(),
        torch.tensor([1.0, 1, 1, -1, -1, -1]).double(),
    )
    best = max_margin(X, y)
    start = torch.randn(2, 9, generator=generator).double()
    run = sphere_flow(Linear(y[:, None] * X), start, degree=1, steps=1500)
    assert float(sin_angle(run.direction, best.primal).max()) < 1e-2
    assert float((run.margins[-1] / best.margin - 1).abs().max()) < 1e-3
    assert float(run.misalignment.max()) < 0.05
    torch.testing.assert_close(run.direction.norm(dim=1), torch.ones(2).double())


def test_short_steps_follow_the_flow_with_first_order():
    generator = torch.Generator().manual_seed(1)
    X, y = (
        torch.randn(5, 4, generator=generator).double(),
        torch.tensor([1.0, -1, 1, -1, 1]).double(),
    )
    net = Network(X, (6,), SquaredReLU(), biases=False)
    model, start = (
        Margins(net, y),
        0.5 * torch.randn(1, net.dimension, generator=generator).double(),
    )
    errors = []
    for size in (2e-3, 1e-3, 5e-4):
        run = sphere_flow(
            model,
            start,
            degree=3,
            steps=round(0.8 / size),
            coarsest=size,
            finest=size,
            window=1,
            records=2,
        )
        theta = run.direction * torch.exp(run.log_norm[-1])[:, None]
        levels = torch.logsumexp(-model.outputs(theta), -1) - torch.log(
            torch.tensor(5.0).double()
        )
        exact = flow(model, Exponential(), start, log_loss=float(levels[0]))
        errors.append(float(sin_angle(run.direction[0], exact.theta[-1, 0])))
    assert errors[0] < 0.02
    assert errors[1] / errors[0] == pytest.approx(0.5, abs=0.15)
    assert errors[2] / errors[1] == pytest.approx(0.5, abs=0.15)


def test_the_smoothed_margin_is_that_of_the_sum():
    generator = torch.Generator().manual_seed(2)
    rows = torch.randn(4, 6, generator=generator).double()
    start = torch.randn(1, 6, generator=generator).double()
    run = sphere_flow(
        Linear(rows),
        start,
        degree=1,
        steps=3,
        coarsest=0.1,
        finest=0.1,
        window=1,
        records=3,
    )
    expected = -torch.logsumexp(-(rows @ start[0]), 0) / start.norm()
    assert float(run.smoothed[0, 0]) == pytest.approx(float(expected), rel=1e-12)
    assert run.steps.tolist() == [0, 1, 2]


def test_bad_input_is_refused():
    model = Linear(torch.eye(3).double())
    with pytest.raises(InvalidInput, match="starts at zero"):
        sphere_flow(model, torch.zeros(1, 3).double(), degree=1)
    with pytest.raises(InvalidInput, match="steps"):
        sphere_flow(model, torch.ones(1, 3).double(), degree=1, steps=10, window=20)
    with pytest.raises(InvalidInput, match="coarsest"):
        sphere_flow(model, torch.ones(1, 3).double(), degree=1, coarsest=0.0)
