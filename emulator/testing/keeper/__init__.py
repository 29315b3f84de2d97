"""The process that keeps environments for tests: nothing that a test does to its own process reaches it."""
