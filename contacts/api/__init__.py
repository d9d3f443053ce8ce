"""REST API of the contacts app."""
