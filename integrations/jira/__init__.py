"""Jira Cloud (v3) and Data Center (v2) through the `jira` package, which carries session and authentication."""
