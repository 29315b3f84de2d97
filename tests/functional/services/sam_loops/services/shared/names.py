NAMES = ("orders", "users")
