"""Balancedness: what gradient flow conserves, and how steps of finite size let it
drift.
"""
