"""Measurements go to a file and come back as they were, and a file holds no code."""

from dataclasses import dataclass

import pytest
import torch

from ibcore import measured
from ibcore.losses import PolynomialTail
from ibcore.problems.separable import Classification
from ibcore.validation import InvalidInput


@dataclass(frozen=True)
class Foreign:
    number: float = 1.0


def example():
    X = torch.arange(6.0).reshape(3, 2).double()
    return Classification(X, torch.tensor([1.0, -1.0, 1.0]).double())


def test_what_is_saved_comes_back(tmp_path):
    kept = {2: (example(), [1, "two", None]), "loss": PolynomialTail(2.5)}
    measured.save(kept, tmp_path / "kept.pt")
    back = measured.load(tmp_path / "kept.pt")
    assert back["loss"] == kept["loss"]
    assert back[2][1] == kept[2][1]
    torch.testing.assert_close(back[2][0].X, example().X, rtol=0, atol=0)


def test_a_measurement_leaves_its_graph_behind():
    grown = torch.ones(2, requires_grad=True) * 2
    kept = measured.on_cpu((grown, {"a": [grown]}))
    assert not kept[0].requires_grad
    assert not kept[1]["a"][0].requires_grad


@pytest.mark.parametrize("bad", [object(), Foreign(), {"f": len}])
def test_what_is_no_measurement_is_refused(bad, tmp_path):
    with pytest.raises(InvalidInput, match="a measurement holds"):
        measured.save(bad, tmp_path / "bad.pt")


@pytest.mark.parametrize(
    "content",
    [
        {"class": "os:path", "fields": {}},
        {"class": "ibcore.losses:PolynomialTail", "fields": {"other": 1.0}},
        {"class": "ibcore.losses:NoSuchLoss", "fields": {}},
        {"class": "ibcore.losses:PolynomialTail"},
    ],
)
def test_a_file_of_another_origin_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(InvalidInput, match="no measurement"):
        measured.load(tmp_path / "other.pt")
