"""Tells whether the services of this LocalStack are there, and not only its port."""
