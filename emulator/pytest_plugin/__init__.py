"""Environments as fixtures of pytest."""
