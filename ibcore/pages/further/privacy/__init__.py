"""Privacy: training data in the weights of a trained network."""
