"""What multistack's image adds to LocalStack 4.14."""
