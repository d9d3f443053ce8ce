"""Carriers behind one interface; `base.py` has the vocabulary of sending, `events.py` of hearing."""
