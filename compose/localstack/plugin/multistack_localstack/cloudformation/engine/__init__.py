"""Deployments: what a template asks for, held against what a stack has, carried out and taken back."""
