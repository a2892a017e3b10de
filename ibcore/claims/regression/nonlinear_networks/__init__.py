"""Claims about nonlinear networks with the square loss."""
