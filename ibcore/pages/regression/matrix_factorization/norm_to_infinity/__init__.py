"""Norms that go to infinity: a completion whose free entry runs away."""
