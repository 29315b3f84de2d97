"""What is done once, while the image is built."""
