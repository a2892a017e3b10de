import dataclasses
import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.models.two_layer import TwoLayerReLU
from ibcore.oracles.kernels import kernel_interpolant, tangent_kernel
from ibcore.pages.further.lazy_training import claims as page
from ibcore.pages.further.lazy_training import runs, scales
from ibcore.pages.further.lazy_training.claims.mean_field_limit import (
    _meeting,
    _moving,
    measure_limit,
    own_timed,
)
from ibcore.pages.further.lazy_training.claims.ntk_constant import _exponents, _factors
from ibcore.pages.further.lazy_training.claims.ntk_lazy import _exact, _scales, _widths
from ibcore.pages.further.lazy_training.tasks import (
    draw_tasks,
    least_movement,
    own_tasks,
)
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {
    claim.id: claim
    for claim in (page.ntk_constant, page.ntk_lazy, page.mean_field_limit)
}
CPU = torch.device("cpu")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def eight(value):
    return torch.full((8,), float(value)).double()


def poisoned(values, members=1):
    lost = values.clone()
    lost[..., :members] = math.nan
    return lost


def small(widths=(32, 64)):
    return draw_tasks(Setting("quick", 3), tasks=8, widths=widths)


def test_networks_in_pairs_start_at_zero_and_others_do_not():
    X = small().X
    for paired in (True, False):
        theta = runs.circle_start(range(8), 32, X, paired=paired)
        model = TwoLayerReLU(X, 32)
        assert (float(model.outputs(theta).abs().max()) < 1e-14) == paired
        (w, b), a = model.hidden(theta), theta[:, -32:]
        assert bool((a.abs() == 1).all())
        sizes = w.square().sum(-1) + b.square()
        torch.testing.assert_close(sizes, torch.full_like(sizes, 6.0))


def test_narrow_networks_are_trained_from_more_starts():
    assert runs.repeats((64, 256, 1024)) == (8, 2, 1)
    tasks = small((64, 256, 1024))
    assert [len(part) for part in tasks.seeds] == [64, 16, 8]
    assert len(set(tasks.seeds[0])) == 64


def test_targets_with_the_other_sign_give_the_other_function():
    """Neurons in pairs: the symmetry that makes the gap of second order."""
    tasks = small()
    start = runs.Start.of(tasks.X, runs.circle_start(range(8), 32, tasks.X), 32)
    ends = [runs.ends(runs.fit(start, sign * tasks.y)) for sign in (1, -1)]
    one, other = (start.model.on(tasks.new).outputs(theta) for theta in ends)
    torch.testing.assert_close(one, -other, rtol=1e-6, atol=1e-9)


def test_the_linear_model_moves_as_its_start_predicts():
    tasks = small()
    start = runs.Start.of(tasks.X, runs.circle_start(range(8), 32, tasks.X), 32)
    torch.testing.assert_close(
        (start.jacobian @ start.displacement(tasks.y)[..., None])[..., 0], tasks.y
    )
    across = start.model.on(tasks.new).jacobian(start.theta)
    found = (across @ start.displacement(tasks.y)[..., None])[..., 0]
    torch.testing.assert_close(found, start.regression(tasks.y, tasks.new))


def test_above_the_safe_scale_no_neuron_comes_to_a_kink():
    tasks = small()
    theta = runs.circle_start(range(8), 32, tasks.X, paired=False)
    start = runs.Start.of(tasks.X, theta, 32)
    alphas = 2 * scales.safe_scale(start, tasks.y, tasks.new)
    everywhere = start.model.on(torch.cat([tasks.X, tasks.new], -2))
    targets = start.model.outputs(theta) + tasks.y / alphas[:, None]
    moved = theta + start.displacement(targets - start.model.outputs(theta))
    gates = [everywhere.preactivations(point) > 0 for point in (theta, moved)]
    assert torch.equal(*gates)
    far = theta + 1e4 * start.displacement(targets)
    assert not torch.equal(gates[0], everywhere.preactivations(far) > 0)


def test_the_start_farthest_from_its_kinks_is_taken():
    tasks = small()
    theta, least = scales.far_starts(tasks, 32, range(32), paired=False)
    all_starts = runs.circle_start(range(32), 32, tasks.X, paired=False)
    part = tasks.repeated(4)
    expected = scales.safe_scale(
        runs.Start.of(part.X, all_starts, 32), part.y, part.new
    ).unflatten(0, (8, 4))
    torch.testing.assert_close(expected.amin(-1), least)
    again = scales.safe_scale(runs.Start.of(tasks.X, theta, 32), tasks.y, tasks.new)
    torch.testing.assert_close(again, least)


def test_networks_that_do_not_fit_count_as_unknown(monkeypatch):
    tasks = small()
    monkeypatch.setattr(runs, "_MOST_STEPS", 20)
    found = runs.train_widths(tasks)
    assert bool(found.moved.isnan().all())
    assert len(found.broken) == 16
    gaps = runs.gaps_by_width(
        tasks, kernel_interpolant(tangent_kernel, tasks.X, tasks.y)(tasks.new)
    )
    assert bool(gaps.at_start.isnan().all())
    assert bool(gaps.linear.isnan().all())


def test_movements_below_the_bound_or_unknown():
    assert least_movement(eight(3)).holds
    assert not least_movement(eight(0.9)).holds
    assert not least_movement(poisoned(eight(3))).holds


def test_other_exponents_of_movement_and_change():
    good = eight(-0.5), eight(0.01), eight(-0.7)
    assert falls(_exponents(*good)) == []
    assert falls(_exponents(eight(-0.54), *good[1:])) == [0]
    assert falls(_exponents(eight(-0.6), *good[1:])) == [0, 1]
    assert falls(_exponents(poisoned(good[0]), *good[1:])) == [0, 1]
    assert falls(_exponents(good[0], poisoned(good[1]), good[2])) == [1]
    assert falls(_exponents(*good[:2], eight(-0.4))) == [2]
    assert falls(_exponents(*good[:2], poisoned(good[2], 5))) == [2]


def test_other_factors_of_movement():
    good = eight(0.5), eight(0.7), eight(0.1)
    assert falls(_factors(*good)) == []
    assert falls(_factors(eight(4), *good[1:])) == [0]
    assert falls(_factors(poisoned(good[0], 5), *good[1:])) == [0]
    assert falls(_factors(good[0], poisoned(good[1], 5), good[2])) == [0]
    assert falls(_factors(*good[:2], eight(-3))) == [1]
    assert falls(_factors(*good[:2], poisoned(good[2], 5))) == [1]


def test_gaps_that_are_too_large_or_fall_at_another_rate():
    assert falls(_exact(eight(1e-15), eight(1e-7))) == []
    assert falls(_exact(poisoned(eight(0)), eight(1e-7))) == [0]
    assert falls(_exact(eight(1e-15), eight(1e-4))) == [1]
    assert falls(_exact(eight(1e-15), poisoned(eight(0)))) == [1]
    assert falls(_widths(eight(-0.7), eight(-0.5))) == []
    assert falls(_widths(eight(-0.3), eight(-0.5))) == [0]
    assert falls(_widths(poisoned(eight(-0.7)), eight(-0.7))) == [0, 1]
    assert falls(_widths(eight(-0.7), poisoned(eight(-0.5)))) == [1]
    assert falls(_scales(eight(-1), eight(-2))) == []
    assert falls(_scales(eight(-0.5), eight(-1))) == [0, 1]
    assert falls(_scales(poisoned(eight(-1)), eight(-2))) == [0]
    assert falls(_scales(eight(-1), poisoned(eight(-2)))) == [1]


def test_a_limit_that_is_none():
    loss = torch.full((3, 8), 1e-4).double()
    assert falls(_moving(eight(0.01), loss)) == []
    assert falls(_moving(eight(-0.5), loss)) == [0]
    assert falls(_moving(poisoned(eight(0)), loss)) == [0]
    assert falls(_moving(eight(0.01), loss + 0.1)) == [1]
    assert falls(_moving(eight(0.01), poisoned(loss, 5))) == [1]
    assert falls(_meeting(eight(-0.5))) == []
    assert falls(_meeting(eight(0))) == [0, 1]
    assert falls(_meeting(poisoned(eight(-0.5)))) == [0]
    assert falls(_meeting(poisoned(eight(-0.5), 5))) == [0, 1]


def test_the_controls_survive_where_their_assumption_holds(verdicts):
    found = verdicts["ntk-constant"].measured
    kept = dataclasses.replace(
        found,
        mean_field=dataclasses.replace(found.kernel, moved=found.kernel.moved[:2]),
    )
    assert not page.ntk_constant.judge(kept).control.refuted
    found = verdicts["ntk-lazy"].measured
    kept = dataclasses.replace(found, rich=found.by_scale[0])
    assert not page.ntk_lazy.judge(kept).control.refuted
    found = verdicts["mean-field-limit"].measured
    kept = dataclasses.replace(found, kernel=found.limit)
    assert not page.mean_field_limit.judge(kept).control.refuted


def test_what_is_not_known_refutes_no_control(verdicts):
    found = verdicts["ntk-lazy"].measured
    lost = dataclasses.replace(found, rich=poisoned(found.rich, 3))
    assert not page.ntk_lazy.judge(lost).control.refuted


def test_own_data_take_the_place_of_drawn_ones():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(7, 2)) * 10 + 3
    setting = Setting("quick", 0)
    tasks = own_tasks(setting, X, X[:, 0], tasks=4, widths=(32, 64))
    assert tasks.X.shape == (4, 7, 2)
    assert tasks.new.shape == (4, 7, 2)
    assert float(tasks.X.square().mean()) == pytest.approx(1)
    timed = own_timed(setting, X, X[:, 0], tasks=4, widths=(32, 64), steps=20)
    measured = measure_limit(timed, setting)
    assert measured.limit.moved.shape == (2, 4)
    with pytest.raises(InvalidInput, match="constant"):
        own_tasks(setting, X, X[:, 0] * 0, tasks=4, widths=(32, 64))
    twice = np.vstack([X, X[2:3]])
    with pytest.raises(InvalidInput, match="rows 2 and 7 of X coincide"):
        own_tasks(setting, twice, twice[:, 0], tasks=4, widths=(32, 64))
