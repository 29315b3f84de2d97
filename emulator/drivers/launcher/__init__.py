"""
The process of one embedded emulator: MiniStack's ASGI application, served with what it lacks.

Each addition is alone in its module, named after the gap, with a test that fails the day MiniStack needs it no more.
"""
