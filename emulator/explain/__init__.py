"""Which single-stack patterns a template has, what each risks, and the multi-stack template instead."""
