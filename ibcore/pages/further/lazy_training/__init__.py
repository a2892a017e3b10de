"""Lazy and rich training: when the hidden neurons move, and what is found if they do
not.
"""
