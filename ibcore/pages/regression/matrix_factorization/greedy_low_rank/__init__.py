"""Rank as the bias of matrix factorization: singular values in motion, greedy low-rank learning, completion."""
