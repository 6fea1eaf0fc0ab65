"""The Slack surface: hands a line to the verbs, and dresses answers as Block Kit."""
