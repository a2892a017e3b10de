import pytest
import torch

from ibcore.problems.digits import digit_pair, digits_split
from ibcore.validation import InvalidInput


def split(corruption=0.0, *, seed=0, train=900, test=600):
    return digits_split(train, test, torch.Generator().manual_seed(seed), corruption)


def test_shapes_and_scale():
    data = split()
    assert data.X_train.shape == (900, 64)
    assert data.X_test.shape == (600, 64)
    assert data.y_train.dtype == torch.int64
    torch.testing.assert_close(
        data.X_train.mean(0), torch.zeros(64, dtype=torch.float64), atol=1e-12, rtol=0
    )
    torch.testing.assert_close(
        data.X_train.square().mean(), torch.tensor(1.0, dtype=torch.float64)
    )
    assert data.X_test.abs().max() < 10


def test_train_and_test_are_different_digits():
    data = split(train=1000, test=797)
    together = torch.cat([data.X_train, data.X_test])
    assert len(together.unique(dim=0)) == 1797
    counts = torch.bincount(torch.cat([data.y_true, data.y_test]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_clean_labels_are_the_true_ones():
    data = split()
    assert torch.equal(data.y_train, data.y_true)
    assert not data.redrawn.any()


@pytest.mark.parametrize("corruption", [0.25, 1.0])
def test_corruption_redraws_that_share_of_labels(corruption):
    data = split(corruption)
    share = data.redrawn.double().mean()
    wrong = (data.y_train != data.y_true).double().mean()
    assert abs(share - corruption) <= 4 * (corruption * (1 - corruption) / 900) ** 0.5
    assert abs(wrong - 0.9 * share) < 0.05
    assert torch.equal(data.y_train[~data.redrawn], data.y_true[~data.redrawn])


def test_corruption_changes_labels_only():
    clean, noisy = split(), split(1.0)
    assert torch.equal(clean.X_train, noisy.X_train)
    assert torch.equal(clean.y_true, noisy.y_true)
    assert torch.equal(clean.y_test, noisy.y_test)


def test_same_generator_same_split():
    assert torch.equal(split(0.5).y_train, split(0.5).y_train)
    assert not torch.equal(split().X_train, split(seed=1).X_train)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train": 1700, "test": 98}, "at most 1797"),
        ({"train": 1}, "at least 2"),
        ({"test": 0}, "at least 1"),
        ({"corruption": 1.5}, "probability"),
        ({"corruption": float("nan")}, "probability"),
    ],
)
def test_bad_sizes_are_refused(sizes, message):
    with pytest.raises(InvalidInput, match=message):
        split(**sizes)


def test_a_pair_has_images_of_its_two_classes():
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    X, y = digit_pair(3, 8, 20, torch.Generator().manual_seed(0))
    assert X.shape == (40, 64)
    assert y.tolist() == [1] * 20 + [-1] * 20
    assert len(X.unique(dim=0)) == 40
    known = {tuple(row): int(c) for row, c in zip(pixels, classes, strict=True)}
    assert [known[tuple(row.tolist())] for row in X] == [3] * 20 + [8] * 20
    again, _ = digit_pair(3, 8, 20, torch.Generator().manual_seed(0))
    assert torch.equal(again, X)


def test_a_pair_that_does_not_exist_is_refused():
    with pytest.raises(InvalidInput, match="digit from 0 to 9"):
        digit_pair(3, 10, 20, torch.Generator())
    with pytest.raises(InvalidInput, match="images of 8"):
        digit_pair(3, 8, 180, torch.Generator())
