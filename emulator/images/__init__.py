"""Makes the image that the LocalStack driver runs by default."""
