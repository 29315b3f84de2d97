"""A release beside the one on record, for a share of the calls, on an alias inside one stack."""
