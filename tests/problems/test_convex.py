"""Random convex problems: derivatives by automatic differentiation, laws of the draws."""

import pytest
import torch

from ibcore.problems.convex import ConvexProblems, random_problem
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


def test_an_empty_problem_is_refused():
    with pytest.raises(InvalidInput, match="n is 0"):
        random_problem(0, 2, torch.Generator(), logistic=False)
    with pytest.raises(InvalidInput, match="d is 0"):
        random_problem(2, 0, torch.Generator(), logistic=False)


def test_the_loss_is_the_mean_over_examples_as_it_is_written():
    for logistic in (False, True):
        problems = batch(logistic)
        w = (
            3
            * torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(3)).double()
        )
        found = problems.loss(w)
        assert found.shape == (2, 5)
        for b in range(2):
            for k in range(5):
                outputs = (problems.X[b] * w[b, k]).sum(-1)
                terms = (
                    torch.log(1 + torch.exp(-problems.y[b] * outputs))
                    if logistic
                    else (outputs - problems.y[b]) ** 2
                )
                torch.testing.assert_close(found[b, k], terms.sum() / 20)
        torch.testing.assert_close(problems.loss(w[:, 2]), found[:, 2])


def test_a_logistic_loss_far_out_is_linear_and_finite():
    one = torch.ones(1, 1, 1).double()
    problem = ConvexProblems(one, one[0], logistic=True)
    far = torch.tensor([[-1000.0], [-45.0]]).double()[None]
    torch.testing.assert_close(problem.loss(far), -far[..., 0], rtol=1e-15, atol=0)


def test_columns_have_falling_variances_and_targets_the_noise_that_is_asked():
    generator = torch.Generator().manual_seed(4)
    X, y = random_problem(20_000, 3, generator, logistic=False, decay=2.0, noise=0.5)
    share = X.square().mean(0) * torch.tensor([1.0, 4.0, 9.0])
    torch.testing.assert_close(share, torch.ones(3).double(), atol=0.06, rtol=0)
    rest = y - X @ torch.linalg.lstsq(X, y[:, None]).solution[:, 0]
    assert float(rest.square().mean()) == pytest.approx(0.25, rel=0.06)
    X, y = random_problem(9, 3, generator, logistic=False, noise=0.0)
    fit = X @ torch.linalg.lstsq(X, y[:, None]).solution[:, 0]
    torch.testing.assert_close(fit, y)


def test_logistic_labels_have_the_odds_of_their_model():
    """The gradient of the expected loss vanishes at the w of the model, and the
    truth is found by Newton's method to its standard error.
    """
    X, y = random_problem(
        20_000, 2, torch.Generator().manual_seed(5), logistic=True, decay=0.0
    )
    w = torch.zeros(2).double()
    for _ in range(20):
        odds = torch.sigmoid(X @ w)
        hessian = (X * (odds * (1 - odds))[:, None]).T @ X
        w = w + torch.linalg.solve(hessian, X.T @ ((y + 1) / 2 - odds))
    generator = torch.Generator().manual_seed(5)
    torch.randn(20_000, 2, generator=generator, dtype=torch.float64)
    truth = torch.randn(2, generator=generator, dtype=torch.float64)
    error = torch.linalg.inv(hessian).diagonal().sqrt()
    assert bool(((w - truth).abs() < 4 * error).all())
