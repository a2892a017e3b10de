import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.regression.linear_networks import (
    convolutional_and_fully_connected as page,
)
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.models.convolutional import Convolutional
from ibcore.models.deep_linear import DeepLinear
from ibcore.oracles.fourier_regression import radial_stationarity
from ibcore.problems.spectra import spectral_regression

CLAIMS = {
    claim.id: claim
    for claim in (page.linear_nets_unified_conv_regression, page.fc_linear_min_l2)
}


@pytest.fixture(scope="module")
def verdicts():
    return {name: claim.verify(Setting("quick", 0)) for name, claim in CLAIMS.items()}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


@pytest.mark.parametrize("name", CLAIMS)
def test_figures_get_finite_arrays(verdicts, name):
    arrays = [
        value
        for value in verdicts[name].data.values()
        if isinstance(value, torch.Tensor)
    ]
    assert arrays
    for array in arrays:
        assert bool(array.isfinite().all())


def test_the_conditions_on_the_draws_are_those_stated():
    cases, rejected = page.spectral_cases(Setting("quick", 3), 2, even=True)
    assert all(
        case.sparse.slack >= page.SLACK and case.sparse.least >= page.LEAST
        for case in cases
    )
    assert rejected >= 0
    assert page.spectral_cases(Setting("quick", 3), 3, even=False)[1] == 0


def test_a_run_that_does_not_arrive_is_nan():
    case, _ = page.spectral_cases(Setting("quick", 0), 1, even=True)
    assert bool(
        page.convolved(case[0], torch.zeros(2 * page.LENGTH).double()).isnan().all()
    )


def test_one_point_without_symmetry_does_minimize_the_radial_function():
    """Its spectrum keeps its phases, so that every frequency moves on a line."""
    data = spectral_regression(1, 8, 3, torch.Generator().manual_seed(2), even=False)
    model = Convolutional(data.X)
    run = stiff_flow(model, data.y, page.impulse(8, 0.1), tolerance=1e-9)
    assert radial_stationarity(data.X, model.coefficients(run.state), 0.1**2 / 2) < 1e-8


def test_what_the_first_layer_holds_off_the_row_space_is_frozen_at_any_scale():
    case = page.gaussian_case(torch.Generator().manual_seed(0))
    X = case.network.inputs
    end = page.trained(case.network, case.targets, case.start)
    off = torch.eye(X.shape[1]).double() - torch.linalg.pinv(X) @ X
    before, after = (case.network.layers(theta)[0] @ off for theta in (case.start, end))
    torch.testing.assert_close(before, after, rtol=0, atol=1e-9)
    beta = case.network.end_to_end(end)
    torch.testing.assert_close(
        off @ beta,
        off @ case.network.layers(case.start)[0].mT @ case.network.layers(end)[1][0],
        rtol=0,
        atol=1e-9,
    )


def test_depth_one_is_linear_regression():
    X = torch.randn(
        3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    y = torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)
    end = page.trained(DeepLinear(X, ()), y, torch.zeros(6).double())
    torch.testing.assert_close(end, torch.linalg.pinv(X) @ y, rtol=1e-7, atol=1e-9)
