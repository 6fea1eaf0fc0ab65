"""The domain: what goals, experiments and metrics are and what may happen to them.

Pure: no I/O, no clock (`now` is an argument); imports none of the other packages.
"""
