"""Environments for a while, mostly for a branch of the source: feature environments."""
