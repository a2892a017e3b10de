import pytest
import torch

from ibcore.dynamics.convex import averaged_sgd, descent_path
from ibcore.validation import InvalidInput


def test_descent_on_a_quadratic_has_its_closed_form():
    values = torch.tensor([[1.0, 0.3]], dtype=torch.float64)
    start, eta = (
        torch.ones(1, 2, dtype=torch.float64),
        torch.tensor([0.5], dtype=torch.float64),
    )
    path = descent_path(lambda w: values * w, start, eta, [0, 1, 7])
    for w, k in zip(path, (0, 1, 7), strict=True):
        torch.testing.assert_close(w, (1 - 0.5 * values) ** k)


def test_with_one_example_sgd_is_descent_and_the_average_counts_the_start():
    start, eta = (
        torch.ones(1, 1, dtype=torch.float64),
        torch.tensor([0.5], dtype=torch.float64),
    )
    run = averaged_sgd(
        lambda w, rows: w + 0 * rows[..., None],
        start,
        eta,
        runs=3,
        examples=1,
        stops=[1, 3],
        generator=torch.Generator(),
    )
    torch.testing.assert_close(
        run.last[:, 0, :, 0], torch.tensor([[0.5], [0.125]]).expand(2, 3).double()
    )
    torch.testing.assert_close(
        run.average[:, 0, :, 0], torch.tensor([[1.0], [1.75 / 3]]).expand(2, 3).double()
    )


def test_examples_are_drawn_uniformly_and_independently_for_every_run():
    seen = []
    averaged_sgd(
        lambda w, rows: seen.append(rows) or w,
        torch.zeros(2, 1).double(),
        torch.ones(2).double(),
        runs=50,
        examples=4,
        stops=[100],
        generator=torch.Generator().manual_seed(0),
    )
    rows = torch.stack(seen)
    shares = torch.bincount(rows.flatten(), minlength=4) / rows.numel()
    assert float((shares - 0.25).abs().max()) < 0.02
    assert bool((rows[:, 0, 0] != rows[:, 0, 1]).any())


def test_bad_input_is_refused():
    start, eta = torch.zeros(1, 1).double(), torch.ones(1).double()
    with pytest.raises(InvalidInput, match="rising"):
        descent_path(lambda w: w, start, eta, [3, 3])
    with pytest.raises(InvalidInput, match="above 0"):
        descent_path(lambda w: w, start, 0 * eta, [1])
    with pytest.raises(InvalidInput, match="from 1 on"):
        averaged_sgd(
            lambda w, _: w,
            start,
            eta,
            runs=1,
            examples=1,
            stops=[0, 1],
            generator=torch.Generator(),
        )
