"""The demo: the real product between its stand-ins, printed to a terminal or played with on a page."""
