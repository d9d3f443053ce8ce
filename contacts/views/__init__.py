"""Dashboard pages of the contacts app: parse, permit, call, render."""
