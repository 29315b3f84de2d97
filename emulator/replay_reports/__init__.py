"""A replay for people and for CI systems: terminal and Markdown, a page with a chart, JUnit."""
