"""Data for environments: files of a project into tables, buckets, queues and parameters, and back."""
