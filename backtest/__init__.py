"""Holds the methods of judgement against histories: the very functions the product uses, their rivals beside them.

A part is one file and one line in `PARTS`: it reads its files, lets each method predict at many moments of each
history, and scores the predictions. Nothing here is fitted to the histories it scores.
"""
