"""A project and its spaces as objects of Kubernetes, a namespace for each space."""
