"""Takes memory and time off LocalStack without changing what it answers."""
