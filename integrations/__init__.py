"""The outside: one module per API, translating to and from backlog types; none knows the store or the reports."""
