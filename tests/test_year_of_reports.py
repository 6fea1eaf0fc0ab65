"""A year of weekly reports in three time zones, through both changes of the clocks and dozens of restarts."""

import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backlog.cadence import read_cadence
from backlog.week import period_of
from bot.config import load_settings
from bot.wiring import open_services
from bot.work import run_until_settled
from sandbox.serving import serving
from sandbox.slack import Channel, SlackSandbox
from tests.conftest import TestClock
from tests.crashing import chosen, run_process

# Each at a local time that one change of its clocks skips or repeats.
CADENCES = {
    "berlin": "sun 02:30 Europe/Berlin",
    "new-york": "sun 01:30 America/New_York",
    "sydney": "sun 02:30 Australia/Sydney",
}
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, 12, tzinfo=UTC)
RESTARTS = 60
CONFIG = """
[slack]
bot_token = "xoxb-sandbox"
signing_secret = "0123456789abcdef0123456789abcdef"
api_url = "{slack}/api/"
[database]
url = "sqlite:///{folder}/scrumbut.db"
"""
REPORT = '[[reports]]\naudience = "{audience}"\nschedule = "{cadence}"\nchannel = "#{audience}"\n'


def live(config: Path, begin: datetime, end: datetime, dice: random.Random) -> None:
    """Open everything, run until then in uneven steps, close everything."""
    clock = TestClock(begin)
    services = open_services(load_settings(config), clock)
    while clock.at < end:
        run_until_settled(services, chosen(services), wait=lambda seconds: clock.forward(seconds=seconds))
        clock.at = max(clock.at, min(end, clock.at + timedelta(hours=dice.uniform(2, 40))))
    services.database.close()


def test_each_week_of_a_year_has_one_post_in_each_zone_through_sixty_restarts(tmp_path: Path) -> None:
    slack = SlackSandbox(now=lambda: END.timestamp())  # never before ours
    dice, config = random.Random(2026), tmp_path / "config.toml"
    for audience in CADENCES:
        slack.channels[f"C0{audience.upper()}"] = Channel(f"C0{audience.upper()}", audience)
    moments = sorted(START + (END - START) * dice.random() for _ in range(RESTARTS))
    deaths = 0
    with serving(slack.app) as url:
        reports = "".join(REPORT.format(audience=name, cadence=cadence) for name, cadence in CADENCES.items())
        config.write_text(CONFIG.format(slack=url, folder=tmp_path) + reports)
        now = START
        for nth, moment in enumerate([*moments, END]):
            asleep = timedelta(hours=dice.uniform(0, 30)) if nth else timedelta()  # nobody is awake meanwhile
            live(config, min(now + asleep, moment), moment, dice)
            if nth % 3 == 0:  # and every third time it is killed while it works, some time after something came due
                now = moment + timedelta(hours=dice.uniform(0, 60))
                deaths += run_process(config, min(now, END), dies_at=dice.randrange(0, 14))
            now = max(now, moment)
        live(config, END, END + timedelta(minutes=1), dice)
    assert deaths > 5
    for audience, text in CADENCES.items():
        cadence = read_cadence(text)
        due = [period_of(at, cadence.zone).key for at in cadence.times(START, END)]
        posted = Counter(m["blocks"][0]["text"]["text"] for m in slack.messages(audience) if "thread_ts" not in m)
        weeks = sorted(int(re.findall(r"Week (\d+)", head)[0]) for head in posted)
        assert weeks == sorted(int(key[-2:]) for key in due)
        assert len(due) in (52, 53)
        assert set(posted.values()) == {1}
        assert len(slack.messages(audience)) == 4 * len(due), "each with its three answers"
