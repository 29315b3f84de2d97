"""Test, staging and prod of a serverless service on one laptop: an emulated AWS account per environment."""
