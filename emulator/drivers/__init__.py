"""What runs an environment's emulator. Every driver passes one contract test."""
