"""What noise in the labels adds to the loss that stochastic gradient descent minimizes."""
