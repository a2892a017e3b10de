import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.classification.homogeneous_networks import simple_predictors as page
from ibcore.measures import sin_angle

CLAIMS = {
    claim.id: claim
    for claim in (
        page.leaky_symmetric_max_margin,
        page.leaky_linear_teacher,
        page.univariate_linear_regions,
    )
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


@pytest.mark.parametrize("name", CLAIMS)
def test_figures_get_finite_arrays_on_the_cpu(verdicts, name):
    for value in verdicts[name].data.values():
        if isinstance(value, torch.Tensor):
            assert value.device.type == "cpu"
            assert bool(value.isfinite().all())


def test_a_wrong_direction_would_not_hold(verdicts):
    data = verdicts["leaky-linear-teacher"].data
    teachers = data["teachers"]
    plain = torch.stack(
        [torch.cat([limit.plus, -limit.plus]) for limit in teachers.limits]
    )
    assert float(sin_angle(teachers.pair(data["states"][-1]), plain).min()) > 1e-3


def test_the_mirrored_sample_is_symmetric_and_its_support_spans():
    sample = page.draw_mirrored(Setting("quick", 3), 2, 0.3)
    half = sample.labels.shape[1] // 2
    assert torch.equal(sample.net.inputs[:, :half], -sample.net.inputs[:, half:])
    assert torch.equal(sample.labels[:, :half], -sample.labels[:, half:])
    assert all(
        int(best.support.sum()) == 5 and best.rate >= page.LEAST_RATE
        for best in sample.solutions
    )


def test_the_predicted_network_has_the_predicted_margin_and_more_is_impossible():
    sample = page.draw_mirrored(Setting("quick", 1), 2, 0.3)
    unit = sample.w_hat / sample.w_hat.norm(dim=1, keepdim=True)
    signs = torch.ones(page.WIDTH, dtype=torch.float64)
    signs[page.WIDTH // 2 :] *= -1
    ideal = torch.cat(
        [signs.expand(2, -1), (signs[:, None] * unit[:, None]).flatten(1)], -1
    )
    found = page.alignment(
        sample,
        ideal,
        torch.randn(50, 5, generator=torch.Generator().manual_seed(0)).double(),
    )
    torch.testing.assert_close(
        found.margin_ratio, torch.ones(2, dtype=torch.float64), atol=1e-9, rtol=0
    )
    assert float(found.sines.max()) < 1e-12
    assert float(found.bend.max()) < 1e-6
    other = torch.randn(
        2,
        sample.net.dimension,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
    )
    mixed = page.alignment(
        sample, ideal + 0.05 * other, torch.eye(5, dtype=torch.float64)
    )
    assert float(mixed.margin_ratio.max()) < 1


def test_narrow_networks_are_padded_with_neurons_that_never_move():
    start = page.padded_start((3, 8), torch.Generator().manual_seed(0))
    a, w = start[0].split([8, 16])
    assert bool((a[3:] == 0).all())
    assert bool((w.view(8, 2)[3:] == 0).all())
    line = page.train_lines(Setting("quick", 0), (3, 3, 1), (5, 8), 20)[0]
    trained, _ = line.net.layers(line.trained)
    assert bool((trained[0, 5:] == 0).all())


def test_kinks_of_the_largest_margin_are_where_the_networks_bend(verdicts):
    line = verdicts["univariate-linear-regions"].data["lines"][0]
    assert line.best_kinks().regions(1e-3) == line.least == 3
    x, y = line.problem.x.numpy(), line.problem.y.numpy()
    inner = [
        k
        for k in line.best_kinks().positions.tolist()
        if any(x[y == sign].min() < k < x[y == sign].max() for sign in (-1, 1))
    ]
    assert len(inner) == 2
    assert np.isfinite(line.misplaced())
