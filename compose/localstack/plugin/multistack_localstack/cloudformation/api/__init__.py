"""CloudFormation's operations, on the engine of this package."""
