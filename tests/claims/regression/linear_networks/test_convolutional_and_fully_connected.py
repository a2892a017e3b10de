import math
from dataclasses import replace

import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.regression.linear_networks import (
    convolutional_and_fully_connected as page,
)
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.models.convolutional import Convolutional
from ibcore.models.deep_linear import DeepLinear
from ibcore.oracles.fourier_regression import even_potential, radial_stationarity
from ibcore.problems.spectra import spectral_regression
from ibcore.validation import InvalidInput

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


def poisoned(values):
    """The same values, with NaN in place of the last."""
    return torch.cat([values[:-1], torch.tensor([math.nan]).to(values)])


def test_runs_that_do_not_arrive_make_the_claim_fall_and_refute_nothing(monkeypatch):
    flow, count = page.integrate, iter(range(1000))
    monkeypatch.setattr(
        page,
        "integrate",
        lambda *arguments, **options: flow(
            *arguments,
            **options,
            max_steps=3 if next(count) in (0, 32, 33, 34) else 10**5,
        ),
    )
    claim = page.linear_nets_unified_conv_regression
    evidence = claim.verify(Setting("quick", 4)).evidence
    broken = [check.broken for check in evidence.checks]
    assert broken == [0, 0, 1, 0, 1, 0, 0]
    fallen = [k for k, check in enumerate(evidence.checks) if not check.holds]
    assert fallen == [2, 4]
    assert len(evidence.broken) == 3
    assert not evidence.control.refuted


def test_arrivals_are_judged_one_by_one():
    good = page.Arrival(torch.zeros(16).double(), 1e-11, 1e-15)
    assert all(check.holds for check in page._arrival_checks([good] * 2, [good]))
    for bad, falls in (
        ({"distance": math.nan}, [1]),
        ({"distance": 2e-9}, [1]),
        ({"missing": math.nan}, [0]),
        ({"missing": 1e-9}, [0]),
    ):
        checks = page._arrival_checks([replace(good, **bad), good], [good])
        assert [k for k, check in enumerate(checks) if not check.holds] == falls


def test_limits_and_exponents_are_judged_one_by_one():
    values = torch.tensor([1e-8, 0.4]).double()[:, None].expand(2, 8)
    assert all(check.holds for check in page._limit_checks(*values))
    bad = (values[0] + 1e-5, values[1] + 1)
    assert not any(check.holds for check in page._limit_checks(*bad))
    checks = page._limit_checks(*(poisoned(value) for value in values))
    assert [check.holds for check in checks] == [False, False]
    assert [check.broken for check in checks] == [1, 1]
    rates = torch.ones(8).double()
    assert page._exponent_check(rates).holds
    assert not page._exponent_check(1.2 * rates).holds
    assert not page._exponent_check(0.8 * rates).holds
    assert not page._exponent_check(math.nan * rates).holds


def test_interpolants_without_certificate_are_noticed():
    cases, _ = page.spectral_cases(Setting("quick", 4), 1, even=True)
    assert page._sparse_certified(cases).holds
    for bad in ({"gap": math.nan}, {"gap": -1e-3}, {"residual": math.nan}):
        sparse = replace(cases[0].sparse, **bad)
        other = replace(cases[0], sparse=sparse)
        assert not page._sparse_certified([cases[0], other]).holds


def test_bound_and_first_order_are_judged_by_every_start():
    ones = torch.ones(8, 2).double()
    assert page._bound_check(0.9 * ones).holds
    assert not page._bound_check(math.nan * ones).holds
    good = page._first_order_checks(ones, ones)
    assert len(good) == 4
    assert all(check.holds for check in good)
    off = ones.clone()
    off[3] = 1.1
    assert not page._bound_check(off).holds
    for bad in (off, off - 0.2, math.nan * off):
        assert not any(check.holds for check in page._first_order_checks(bad, bad))


@pytest.mark.parametrize("control", [page._not_even, page.large_start])
def test_runs_without_a_number_refute_nothing(control):
    far = torch.full((8,), 0.4).double()
    assert control(far).refuted
    assert not control(math.nan * far).refuted
    assert not control(0 * far).refuted


def test_the_control_of_full_layers_survives_from_a_small_scale():
    cases = [
        page.gaussian_case(torch.Generator().manual_seed(seed))
        for seed in range(1295040, 1295048)
    ]
    small, large = (
        page.large_start([page.ended(case, scale)[0] for case in cases])
        for scale in (1e-2, page.LARGE)
    )
    assert not small.refuted
    assert large.refuted


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


@pytest.mark.parametrize("scale", [3.0, 0.3, 1e-3])
def test_the_distance_to_the_least_norm_is_below_its_bound_at_any_scale(scale):
    for seed in (1106001, 1106002, 1106003):
        case = page.gaussian_case(torch.Generator().manual_seed(seed))
        distance, _ = page.ended(case, scale)
        bound = case.predicted.bound(scale)
        assert 0.02 * bound < distance <= bound


def test_frequencies_that_start_balanced_cannot_change_their_sign():
    """All c_k are zero for v^ = conj(u^); the one output of the data, 2 Re beta^_1, is asked to become -1."""
    X = torch.fft.irfft(torch.tensor([0, 8, 0, 0, 0], dtype=torch.complex128))[None]
    y = torch.tensor([-1.0], dtype=torch.float64)
    u = torch.randn(
        8, generator=torch.Generator().manual_seed(1106004), dtype=torch.float64
    )
    start, model = torch.cat([u, u.roll(-1).flip(0)]), Convolutional(X)
    with pytest.raises(InvalidInput, match="starts balanced"):
        even_potential(*start.chunk(2))
    run = stiff_flow(model, y, start, target_loss=0, times=[0.3], tolerance=1e-10)
    first = torch.fft.fft(model.coefficients(run.path[-1])).real[1]
    assert 0 < float(first) < 1e-3


def test_on_even_inputs_the_network_is_an_unshared_diagonal_one():
    """Outputs are sums of u+ v+ - u- v- over frequencies, and the filters' norm is that of these weights."""
    cases, _ = page.spectral_cases(Setting("quick", 1106005), 1, even=True)
    X = cases[0].problem.X
    u, v = torch.randn(
        2,
        page.LENGTH,
        generator=torch.Generator().manual_seed(1106006),
        dtype=torch.float64,
    )
    first, second = torch.fft.fft(u), torch.fft.fft(v)
    weights = first.real * second.real - first.imag * second.imag
    outputs = Convolutional(X).outputs(torch.cat([u, v])[None])[0]
    torch.testing.assert_close(
        outputs, torch.fft.fft(X).real @ weights / page.LENGTH, rtol=1e-12, atol=1e-12
    )


def test_the_flow_fits_from_any_start_whose_frequencies_are_not_balanced():
    """Also where a filter is a million times smaller than the other, or has spectra with imaginary parts."""
    cases, _ = page.spectral_cases(Setting("quick", 1106007), 2, even=True)
    for seed, case in zip((1106008, 1106009), cases, strict=True):
        start = torch.randn(
            2 * page.LENGTH,
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.float64,
        )
        start[page.LENGTH :] *= 1e-6
        run = page.arrive(case, start)
        assert run.distance < 1e-7
