"""Dashboard pages of messaging: the message log and one message; sender numbers."""
