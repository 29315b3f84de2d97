"""A bundle: one file with all that a machine without a network needs to run multistack."""
