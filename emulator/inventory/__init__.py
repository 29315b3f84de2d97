"""What stands in an environment: read through AWS's APIs, kept after each deployment, compared later."""
