"""From a saved file to a running function: which folders are watched, what a batch of saves is, what a round does."""
