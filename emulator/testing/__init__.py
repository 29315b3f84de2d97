"""Environments for tests: brought up by a process of its own, used from the tests' process."""
