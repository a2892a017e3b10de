"""Adversarial robustness: one perturbation flips every training point of a trained
network.
"""
