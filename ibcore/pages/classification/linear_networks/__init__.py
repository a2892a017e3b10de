"""Rooms of the pages on linear networks in classification."""
