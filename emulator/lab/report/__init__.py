"""What experiments showed, as a page and as Markdown."""
