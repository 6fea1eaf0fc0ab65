"""Modals: a verb's parameters as inputs. What is sent becomes the words of a line and goes the way of any line.

`forms` says which modals there are, `fields` how a parameter is drawn and read, `opening` and `sending` are the two
ends; a new verb has a modal without a line here, an entry in `forms.FORMS` gives it its order and title.
"""
