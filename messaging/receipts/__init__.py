"""Applying what carriers and recipients tell: statuses, inbound texts, taps on links.

The edge only stores. Here each event takes effect once, in the transaction that removes it from
the queue, and whatever cannot take effect is set aside with its reason, so that nothing behind it
waits.
"""
