"""The verb that looks ahead."""

import click

from bot.flows.forecast import forecast as tell
from bot.flows.forecast import own_reliability
from bot.verbs.answer import Answer
from bot.verbs.experiments import pass_request
from bot.verbs.grammar import Request, exp


@exp.command("forecast")
@click.argument("subject", metavar="GOAL|EXP-12")
@pass_request
def forecast(request: Request, /, subject: str) -> Answer:
    """What may come, as a range with its sureness: /exp forecast churn"""
    told = tell(request.services, subject)
    own = own_reliability(request.services)
    data = {
        "subject": told.subject,
        "why": told.why,
        "lines": told.lines,
        "forecasts": [
            {
                "target": f.target,
                "ahead": f.ahead,
                "chance": round(f.chance, 3),
                "base": round(f.base, 3),
                "n": f.trials,
            }
            for f in told.forecasts
        ],
        "settled": own.settled if own else None,
    }
    text = f"{told.subject}: {told.why}" if told.why else f"{told.subject}, as far as its history tells:"
    return Answer(text, more=tuple(f"• {line}" for line in told.lines), data=data)
