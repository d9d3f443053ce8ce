"""REST API of the inbox app."""
