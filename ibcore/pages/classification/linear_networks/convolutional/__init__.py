"""Linear convolutional networks: sparsity in frequency."""
