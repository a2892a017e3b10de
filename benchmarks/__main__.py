"""`python -m benchmarks` runs every benchmark and prints ratios; absolute seconds
depend on the machine.
"""

from __future__ import annotations

from benchmarks import (
    batching,
    explicit,
    log_time,
    networks,
    nuclear_norm,
    sharpness,
    stiff_flow,
)
from benchmarks import threads as own_threads
from ibcore.threads import threads

MODULES = (
    log_time,
    networks,
    batching,
    explicit,
    stiff_flow,
    nuclear_norm,
    sharpness,
    own_threads,
)


def main() -> None:
    """Run on one thread, so that ratios do not depend on the number of cores."""
    for module in MODULES:
        print(f"\n{module.__doc__.splitlines()[0]}")
        with threads(1):
            for line in module.run():
                print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
