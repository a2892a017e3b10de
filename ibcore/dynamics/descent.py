"""Step sizes under the name by which they are imported from older notebooks; they live
in `ibcore.dynamics.paces`.
"""

from ibcore.dynamics.paces import constant, decaying, loss_scaled

__all__ = ["constant", "decaying", "loss_scaled"]
