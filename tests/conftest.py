"""Settings of every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """The problems are small and the test processes many: more threads would only wait for each other."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
