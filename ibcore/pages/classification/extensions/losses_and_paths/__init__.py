"""Several classes, tails that are powers, and the regularization path."""
