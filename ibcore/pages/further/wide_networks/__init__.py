"""Wide networks: a Gaussian process at initialization, and a linear model in training."""
