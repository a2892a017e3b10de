"""Attention and language: the token that attention selects, and what training on the
next token converges to.
"""
