"""Deliberate faults of environments: what they are, how they are written, and the file that tells the proxy."""
