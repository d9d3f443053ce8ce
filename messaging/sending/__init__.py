"""The send engine: claim a window of recipients, ask the carrier, record what it said.

Owns the hot path. One window: `claim` (lease, committed) -> `window` (gate, render, rate) ->
`exchange` (requests, no transaction open) -> `results` (one transaction). `drain` goes round it
until there is nothing to do. What a crash leaves behind is judged in `messaging.judge`.
"""
