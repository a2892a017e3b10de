"""Claims on homogeneous networks: where the flow goes, which margin it maximizes, what that buys."""
