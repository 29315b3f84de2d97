"""What works beside the stores of a service, and must begin again once they were restored; a module per service."""
