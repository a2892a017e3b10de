"""What flat minima are, in parameters and as functions."""
