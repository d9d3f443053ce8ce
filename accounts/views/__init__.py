"""Dashboard pages of the accounts app: parse, permit, call, render."""
