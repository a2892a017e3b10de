"""`python -m benchmarks` runs every benchmark and prints ratios; absolute seconds depend on the machine."""

from __future__ import annotations

import torch

from benchmarks import batching, log_time, networks, nuclear_norm, stiff_flow


def main() -> None:
    """Run on one thread, so that ratios do not depend on the number of cores."""
    torch.set_num_threads(1)
    for module in (log_time, networks, batching, stiff_flow, nuclear_norm):
        print(f"\n{module.__doc__.splitlines()[0]}")
        for line in module.run():
            print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
