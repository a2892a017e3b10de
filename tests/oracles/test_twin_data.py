"""Twin inputs keep all that the parameters depend on."""

import torch

from ibcore.oracles.twin_data import twin_inputs


def test_a_twin_keeps_the_first_layer_and_all_preactivations():
    generator = torch.Generator().manual_seed(5)
    X, wanted = torch.randn(2, 5, 12, generator=generator).double()
    factors = torch.randn(7, 2, generator=generator).double()
    mixed = factors @ torch.randn(2, 5, generator=generator).double()
    below = mixed @ torch.cat([X, torch.ones(5, 1).double()], 1)
    other = twin_inputs(X, wanted, below, 2)
    W = below[:, :-1]
    torch.testing.assert_close(other @ W.T, X @ W.T)
    torch.testing.assert_close(mixed @ other, W)
    assert float((other - X).norm(dim=1).min()) > 0.3
    assert float((other - wanted).norm()) < float((X - wanted).norm())
    torch.testing.assert_close(twin_inputs(X, other, below, 2), other)
