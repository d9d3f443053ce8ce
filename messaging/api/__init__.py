"""REST API of the messaging app."""
