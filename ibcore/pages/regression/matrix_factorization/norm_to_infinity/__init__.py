"""Norms that go to infinity: a completion whose free entry runs away while the loss goes to zero."""
