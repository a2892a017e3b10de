"""Rooms of pages: the claims, figures and explorers of a page under its name."""
