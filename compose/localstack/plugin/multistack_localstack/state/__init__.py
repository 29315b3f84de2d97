"""LocalStack's state outlives its process: checkpoints while it runs, the newest one restored when it starts."""
