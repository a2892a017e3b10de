"""Gradient methods with finite steps as gradient flow on a modified loss."""
