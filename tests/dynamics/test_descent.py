"""Older notebooks find the paces under their old name."""

from ibcore.dynamics import descent, paces


def test_the_old_names_are_the_paces():
    for name in ("constant", "decaying", "loss_scaled"):
        assert getattr(descent, name) is getattr(paces, name)
    assert sorted(descent.__all__) == ["constant", "decaying", "loss_scaled"]
