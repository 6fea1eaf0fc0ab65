"""One page in the browser that shows the stand-ins: a conversation on the left, Jira and documents on the right.

A person types, clicks and fills in there as in Slack; everything goes through `SlackEdge` as signed payloads. The page
knows nothing of the app that it shows: whoever serves it says the rest in a `Beside`. It is not Slack, and says so.
"""
