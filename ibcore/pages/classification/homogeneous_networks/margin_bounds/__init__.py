"""Margin bounds: what the margins of a network say about fresh examples."""
