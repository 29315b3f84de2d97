"""What went through the proxy: kept for a while, without what is secret in it, to be looked at and taken out."""
