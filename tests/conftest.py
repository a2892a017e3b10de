"""Settings of every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_limits

from ibcore.claims import Setting


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """The problems are small and the test processes many: more threads would only wait for each other."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def verdicts(request):
    """The claims that the test module lists in `CLAIMS`, by their ids, at quick sizes and seed 0."""
    return {
        name: claim.verify(Setting("quick", 0))
        for name, claim in request.module.CLAIMS.items()
    }
