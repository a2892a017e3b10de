import torch

from ibcore.measures.margins import multiclass_margins


def test_the_margin_is_against_the_largest_other_logit():
    logits = torch.tensor([[1.0, 3.0, 2.5], [0.0, -1.0, 4.0]])
    assert multiclass_margins(logits, torch.tensor([1, 0])).tolist() == [0.5, -4.0]
