import pytest
import torch

from ibcore.measures.risk import (
    classification_error,
    one_hot_mean_square,
    risk_given_inputs,
    split_bias,
    squared_risk,
)


@pytest.mark.parametrize(("n", "p"), [(8, 3), (8, 20)])
def test_averaging_the_labels_exactly_agrees_with_drawing_them(n, p):
    generator = torch.Generator().manual_seed(0)
    Z = torch.randn(n, p, generator=generator, dtype=torch.float64)
    beta = torch.randn(p, generator=generator, dtype=torch.float64)
    M = torch.linalg.pinv(Z)
    labels = Z @ beta + 0.7 * torch.randn(
        20_000, n, generator=generator, dtype=torch.float64
    )
    risks = squared_risk(labels @ M.T, beta, 0.49)
    error = float(risks.std()) / len(risks) ** 0.5
    assert float(risk_given_inputs(M, Z, beta, 0.49)) == pytest.approx(
        float(risks.mean()), abs=4 * error
    )


def test_a_rule_that_ignores_the_labels_has_the_variance_of_a_label():
    Z, beta = (
        torch.ones(5, 4, 2, dtype=torch.float64),
        torch.tensor([3.0, 4.0], dtype=torch.float64),
    )
    risk = risk_given_inputs(torch.zeros(5, 2, 4).double(), Z, beta, 0.5)
    torch.testing.assert_close(risk, torch.full((5,), 25.5).double())


def test_scores_are_judged_by_class_and_by_square():
    scores = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    classes = torch.tensor([0, 1])
    assert classification_error(scores, classes).tolist() == [0.0, 0.5]
    assert one_hot_mean_square(scores, classes).tolist() == [0.0, 1.0]


def test_split_bias_is_unbiased_where_the_square_of_the_mean_is_not():
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(4000, 6, 3, generator=generator, dtype=torch.float64)
    misses = noise + torch.tensor([0.5, 0.0, 0.0]).double()
    found = split_bias(misses)
    assert float(found.mean()) == pytest.approx(0.25, abs=0.05)
    assert float(misses.mean(-2).square().sum(-1).mean()) > 0.6
    assert float(split_bias(torch.ones(4, 2).double())) == 2
