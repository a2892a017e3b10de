"""Greedy low-rank learning: rank as the bias of matrix factorization."""
