"""Carriers behind one interface: `base.py` for sending, `events.py` for what they tell."""
