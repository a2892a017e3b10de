"""Claims on linear networks: fully connected, diagonal and convolutional."""
