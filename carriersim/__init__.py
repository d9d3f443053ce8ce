"""A stand-in carrier that speaks Twilio's Messages API, for the demo, tests and benchmarks.

Owns: its own HTTP server, the phones it plays, and the record of what it accepted. It imports
nothing of the platform, so that it can be the judge of it. docs/carriersim.md is its contract.
"""
