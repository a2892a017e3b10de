import pytest
import torch

from ibcore.problems.convex import ConvexProblems, random_problem
from ibcore.problems.interpolation import Interpolation, isotropic_interpolation
from ibcore.validation import InvalidInput


def batch(logistic):
    draws = [
        random_problem(20, 3, torch.Generator().manual_seed(s), logistic=logistic)
        for s in range(2)
    ]
    return ConvexProblems(
        torch.stack([X for X, _ in draws]), torch.stack([y for _, y in draws]), logistic
    )


@pytest.mark.parametrize("logistic", [False, True])
def test_the_variance_is_the_mean_square_of_the_gradients_of_examples(logistic):
    problems = batch(logistic)
    w = torch.randn(
        2,
        3,
        generator=torch.Generator().manual_seed(9),
        dtype=torch.float64,
        requires_grad=True,
    )
    squares = []
    for i in range(20):
        one = ConvexProblems(
            problems.X[:, i : i + 1], problems.y[:, i : i + 1], logistic
        )
        (gradient,) = torch.autograd.grad(one.loss(w[:, None]).sum(), w)
        squares.append(gradient.square().sum(-1))
    torch.testing.assert_close(
        problems.variance(w.detach()), torch.stack(squares).mean(0)
    )


@pytest.mark.parametrize("logistic", [False, True])
def test_smoothness_bounds_the_hessian_and_is_attained_at_zero(logistic):
    problems = batch(logistic)
    hessian = torch.autograd.functional.hessian(
        lambda w: problems.loss(w.reshape(2, 1, 3))[0, 0],
        torch.zeros(6, dtype=torch.float64),
    )[:3, :3]
    assert float(torch.linalg.eigvalsh(hessian)[-1]) == pytest.approx(
        float(problems.smoothness[0])
    )
    assert bool((problems.example_smoothness >= problems.smoothness).all())


def test_labels_are_signs_and_follow_the_outputs():
    X, y = random_problem(
        4000, 2, torch.Generator().manual_seed(1), logistic=True, decay=0.0
    )
    assert set(y.tolist()) == {-1.0, 1.0}
    direction = (X * y[:, None]).mean(0)
    assert float((((X @ direction) * y) > 0).double().mean()) > 0.6


def test_null_directions_are_unit_vectors_that_the_data_do_not_see():
    generator = torch.Generator().manual_seed(2)
    data = isotropic_interpolation(4, 12, generator)
    v = data.null_directions(5000, generator)
    assert float((data.X @ v.T).abs().max()) < 1e-12
    torch.testing.assert_close(v.norm(dim=-1), torch.ones(5000).double())
    spread = v.T @ v / 5000 * 8
    kernel = torch.eye(12).double() - data.X.T @ torch.linalg.solve(
        data.X @ data.X.T, data.X
    )
    assert float((spread - kernel).abs().max()) < 0.1


def test_the_positive_problem_has_a_positive_interpolant_and_start():
    data = Interpolation.stack(
        [
            isotropic_interpolation(3, 7, torch.Generator().manual_seed(s))
            for s in (0, 1)
        ]
    )
    case = data.positive()
    torch.testing.assert_close(case.outputs(case.truth), case.y)
    assert float(torch.minimum(case.truth, case.start).min()) > 0
    torch.testing.assert_close(data.outputs(data.truth), data.y)


def test_bad_sizes_are_refused():
    with pytest.raises(InvalidInput, match="n < d"):
        isotropic_interpolation(5, 5, torch.Generator())
    with pytest.raises(InvalidInput, match="n is 0"):
        random_problem(0, 2, torch.Generator(), logistic=False)
