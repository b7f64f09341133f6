"""The table of expiries that evercred's own tests hold it to, read by botocore itself."""

import datetime
import pathlib

import pytest
from botocore.credentials import RefreshableCredentials

TABLE = pathlib.Path(__file__).parent.parent / "data" / "expirations.txt"
ROWS = [line.split(" => ") for line in TABLE.read_text().splitlines() if not line.startswith("#")]


def read(text):
    try:
        time = RefreshableCredentials._expiry_datetime(text)
        time - datetime.datetime.now(datetime.timezone.utc)
        return time.astimezone(datetime.timezone.utc).replace(microsecond=0)
    except (ValueError, OverflowError, TypeError):
        return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text, meant", ROWS)
def test_botocore_reads_it_so(text, meant):
    time = read(text)
    said = "refused" if time is None else f"{time.year:04}-" + time.strftime("%m-%dT%H:%M:%SZ")
    assert said == meant
