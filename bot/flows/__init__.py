"""What the product does, end to end; called alike by Slack, the clock, the command line and the workers.

A flow knows neither surface nor configuration: it gets `Services` and says what happened.
"""
