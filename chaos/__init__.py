"""`make chaos`: processes that are killed and paused, a database that falls over, a Slack in bad weather."""
