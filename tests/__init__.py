"""The tests; people in them: Ana owns, Ben is on the team, Chi is a stranger."""
