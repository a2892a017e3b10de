import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.oracles.infinite_width import excess_kurtosis, limit_kernel
from ibcore.pages.further.wide_networks import claims as page
from ibcore.pages.further.wide_networks import runs, training
from ibcore.pages.further.wide_networks.claims.nngp_at_init import (
    BLOCKS,
    DEPTHS,
    KURTOSIS_WIDTHS,
    _covariances,
    _kurtosis_checks,
)
from ibcore.pages.further.wide_networks.claims.ntk_at_init import (
    Kernels,
    _kernel_checks,
    own_kernels,
)
from ibcore.pages.further.wide_networks.claims.wide_net_linearized import (
    _along,
    _at_the_end,
    _linear,
    own_trainings,
)
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {
    claim.id: claim
    for claim in (page.nngp_at_init, page.ntk_at_init, page.wide_net_linearized)
}
CPU = torch.device("cpu")


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def test_the_control_of_the_kurtosis_survives_where_the_first_layer_is_wide(verdicts):
    found = verdicts["nngp-at-init"].measured
    wide = dataclasses.replace(found, control=found.kurtosis[1])
    assert not page.nngp_at_init.judge(wide).control.refuted


def test_the_control_of_the_kernel_survives_where_the_first_layer_is_wide(verdicts):
    found = verdicts["ntk-at-init"].measured
    wide = dataclasses.replace(found, control=found.deep)
    assert not page.ntk_at_init.judge(wide).control.refuted


def test_the_control_of_training_survives_where_the_first_layer_is_wide(verdicts):
    """Two hidden layers of equal width in place of a first one of 16 neurons, from
    width 16 to 256.
    """
    found = verdicts["wide-net-linearized"].measured
    sets = runs.drawn(list(range(16)), CPU)
    wide = training.flow_gaps(
        sets,
        [(16, 16), (256, 256)],
        lambda number: generators(*range(100 * number, 100 * number + 16)),
    )[:, 0]
    changed = dataclasses.replace(found, control_widths=(16, 256), control=wide)
    assert not page.wide_net_linearized.judge(changed).control.refuted


def test_inputs_lie_on_a_sphere_and_differ_from_set_to_set():
    sets = runs.drawn([1, 2], CPU)
    assert sets.points.shape == (2, 16, 10)
    torch.testing.assert_close(
        sets.points.square().mean(-1), torch.ones(2, 16).double()
    )
    assert not torch.equal(sets.points[0], sets.points[1])
    assert sets.inputs.shape == (2, 8, 10)


def test_errors_of_blocks_average_what_blocks_are_off_by():
    products = torch.arange(8.0).double()[:, None, None] * torch.ones(1, 2, 2)
    expected = 4 * torch.ones(2, 2).double()
    found = runs.block_errors(products, expected, (1, 4))
    singles = ((torch.arange(8.0) - 4) / 4).square().mean()
    blocks = ((torch.tensor([1.5, 5.5]) - 4) / 4).square().mean()
    torch.testing.assert_close(found, torch.stack([singles, blocks]).double())


def test_the_extrapolated_flow_is_the_flow():
    """Against descent with steps twenty times as short."""
    sets = runs.drawn([3, 4], CPU)
    trained, _ = training.networks(sets, (256,), generators(5, 6))
    flow, kernels = trained.flow()
    exact = trained.descend(240, training.STOPS).watched["outputs"]
    size = float((flow[0, :, :8] - sets.targets).square().mean().sqrt())
    assert float((flow - exact).abs().max()) < 5e-3 * size
    assert kernels.shape == (len(training.STOPS), 2, 8, 8)


def test_the_program_finds_the_interpolant_of_least_norm():
    sets = runs.drawn([7], CPU)
    first = torch.linspace(-1, 1, 16).double()
    kernel = limit_kernel(sets.points, sets.inputs, 1, 0.0)
    exact = training.limit_outputs(kernel, first[None], sets.targets)[0]
    found = training.least_norm_program(sets, first)
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-6)


def poisoned(values, members):
    lost = values.clone()
    lost[..., :members] = math.nan
    return lost


def test_a_covariance_that_is_off_or_not_known():
    narrow, deep = torch.full((8, 10), 2.0), torch.full((8, 10), 2.0)
    squares = 1 / torch.tensor(BLOCKS).double()[:, None].expand(-1, 8)
    assert falls(_covariances(narrow, deep, squares)) == []
    for bad in (poisoned(narrow, 1), narrow + 5):
        assert falls(_covariances(bad, deep, squares)) == [0]
        assert falls(_covariances(narrow, bad, squares)) == [1]
    for bad in (poisoned(squares, 1), squares * 0 + 0.1, squares**1.3):
        assert falls(_covariances(narrow, deep, bad)) == [2]


def kurtosis():
    rows = [
        [excess_kurtosis((m,) * (depth - 1), 0.0, 1.0) for m in KURTOSIS_WIDTHS]
        for depth in DEPTHS
    ]
    return torch.tensor(rows).double()[..., None].expand(-1, -1, 8).clone()


def test_a_kurtosis_that_is_off_or_not_known():
    good = kurtosis()
    assert falls(_kurtosis_checks(good, 512)) == []
    for depth in (0, 1):
        lost, off = good.clone(), good.clone()
        lost[depth, 1, 0] = math.nan
        off[depth, 1, 0] *= 3
        assert falls(_kurtosis_checks(lost, 512)) == [depth, 2]
        assert falls(_kurtosis_checks(off, 512)) == [depth]
    flat = good * 0 + good[:, 1:2]
    assert falls(_kurtosis_checks(flat, 512)) == [1, 2]


def kernels(**changed):
    widths, deep_widths = (64, 256, 1024), (32, 128, 512)

    def law(sizes, seed):
        generator = torch.Generator().manual_seed(seed)
        scatter = 1 + 0.05 * torch.randn(3, 8, 8, generator=generator).double()
        scatter = scatter / scatter.square().mean((1, 2), keepdim=True).sqrt()
        return scatter * torch.tensor(sizes).double()[:, None, None] ** -0.5

    parts = {
        "widths": widths,
        "deep_widths": deep_widths,
        "shallow": law(widths, 1),
        "deep": law(deep_widths, 2),
        "control": torch.ones(3, 8, 8).double(),
        "predicted": torch.ones(8).double(),
    }
    return Kernels(**(parts | changed))


def test_kernels_that_do_not_come_to_their_limit():
    good = kernels()
    assert falls(_kernel_checks(good)) == []
    assert falls(_kernel_checks(kernels(predicted=good.predicted * 1.2))) == [0]
    flat = torch.ones(3, 8, 8).double()
    assert falls(_kernel_checks(kernels(deep=flat))) == [3]
    lost = good.shallow.clone()
    lost[0, 0, 0] = math.nan
    assert falls(_kernel_checks(kernels(shallow=lost))) == [0, 1]
    lost = good.shallow.clone()
    lost[:, :5] = math.nan
    assert falls(_kernel_checks(kernels(shallow=lost))) == [0, 1, 2]
    lost = good.deep.clone()
    lost[2, 7, 7] = math.nan
    assert falls(_kernel_checks(kernels(deep=lost))) == [3]
    unknown = page.ntk_at_init.judge(kernels(control=flat * math.nan))
    assert not unknown.control.refuted


WIDTHS = (64, 256, 1024)


def found(**changed):
    law = torch.tensor(WIDTHS).double() ** -0.5
    both, one = law[:, None, None].expand(-1, 2, 16), law[:, None].expand(-1, 16)
    parts = {
        "flow": both,
        "bound": 10 * one,
        "descent": both,
        "limit": one,
        "own_limit": one / 3,
        "distance": 1 + one,
    }
    return training.Gaps(**(parts | changed))


def test_linear_models_that_miss_their_closed_form():
    good = torch.full((8,), 1e-14).double()
    assert falls(_linear(good, good)) == []
    for bad in (poisoned(good, 1), good + 1e-9):
        assert falls(_linear(bad, good)) == [0]
        assert falls(_linear(good, bad)) == [1]


def test_trajectories_that_leave_the_prediction():
    good = found()
    assert falls(_along(WIDTHS, good)) == []
    flow = good.flow.clone()
    flow[0, 0, 0] = math.nan
    assert falls(_along(WIDTHS, found(flow=flow))) == [0, 1]
    flow = good.flow.clone()
    flow[0, 1, 0] = math.nan
    assert falls(_along(WIDTHS, found(flow=flow))) == [2]
    assert falls(_along(WIDTHS, found(flow=good.flow * 0 + 0.1))) == [1, 2]
    assert falls(_along(WIDTHS, found(bound=good.bound / 20))) == [0]
    assert falls(_along(WIDTHS, found(bound=poisoned(good.bound, 1)))) == [0]
    for bad in (poisoned(good.descent, 1), good.descent**0.5):
        assert falls(_along(WIDTHS, found(descent=bad))) == [3]


def test_limits_that_are_not_of_least_norm():
    good = found()
    assert falls(_at_the_end(WIDTHS, good)) == []
    assert falls(_at_the_end(WIDTHS, found(limit=poisoned(good.limit, 1)))) == [0]
    assert falls(_at_the_end(WIDTHS, found(limit=good.limit * 0 + 0.5))) == [0]
    for bad in (poisoned(good.own_limit, 7), good.own_limit * 4):
        assert falls(_at_the_end(WIDTHS, found(own_limit=bad))) == [1]
    for bad in (poisoned(good.distance, 7), good.distance + 0.3):
        assert falls(_at_the_end(WIDTHS, found(distance=bad))) == [2]


def test_own_data_take_the_place_of_drawn_ones():
    rng = np.random.default_rng(8101)
    X = rng.normal(size=(9, 3)) * 100 + 5
    y = X[:, 0] - 7
    setting = Setting("quick", 0)
    problems = own_trainings(setting, X, y, datasets=16, widths=(8,))
    assert problems.sets.points.shape == (16, 18, 3)
    assert float(problems.sets.targets.square().mean()) == pytest.approx(1)
    draws = own_kernels(
        setting, X, y, datasets=8, widths=(8,), deep_widths=(8,), draws=2
    )
    assert draws.sets.inputs.shape == (8, 9, 3)
    with pytest.raises(InvalidInput, match="not zero"):
        own_trainings(setting, X * 0, y, datasets=8, widths=(8,))
    with pytest.raises(InvalidInput, match="same number"):
        own_trainings(setting, X, y[:4], datasets=8, widths=(8,))
    for sign, words in ((2, "rows 8 and 9"), (-2, "opposite")):
        more = np.vstack([X, sign * X[8:]])
        with pytest.raises(InvalidInput, match=words):
            own_trainings(setting, more, more[:, 0], datasets=8, widths=(8,))
