"""
LocalStack's web server: a thread per connection that has something to say.

Twisted, its own, parses HTTP in Python on one thread and answers from another: 3 ms a request and 20 MB. Not taken over
is WebSocket, which nothing of LocalStack's open source serves.
"""
