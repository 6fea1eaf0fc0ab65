"""The commands of `scrumbut`, one file for each part of its help: each parses, calls one flow and tells.

What is heavy (pandas, Slack, Jira, the web) is imported inside the command that needs it.
"""
