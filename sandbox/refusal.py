"""A refusal in Jira's form."""


class Refusal(Exception):
    """An error answer in Jira's form: messages, and errors by field."""

    def __init__(self, status: int, *messages: str, **errors: str) -> None:
        super().__init__(*messages)
        self.status = status
        self.body = {"errorMessages": list(messages), "errors": errors}
