"""The process: when, on whose request, with what."""
