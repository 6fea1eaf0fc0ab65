"""Stand-ins of Slack's and Jira's wire on loopback, for the demo and the tests. They are not Slack and not Jira.

Strict and stateful; they know nothing of the product. What has no source in the services' documents is refused
(`unknown_method`, 501), never invented.
"""
