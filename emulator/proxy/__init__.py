"""One front door for all environments: it finds out which one a request means, and passes it on unchanged."""
