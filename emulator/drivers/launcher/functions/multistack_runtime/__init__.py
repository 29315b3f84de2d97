"""
What runs inside the process of a Python function: imports its handler once, then serves one call after the other.

This package runs on the function's own interpreter, Python 3.10 or newer, started by the path of ``__main__.py``
without site-packages. It uses the standard library alone and knows nothing of the emulator but the frames it gets. Its
name is unlikely to be that of a function's own module, which it would hide.
"""
