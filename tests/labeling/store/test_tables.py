"""Times are instants: whatever zone goes in, UTC comes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from labeling.errors import InvalidInput
from labeling.store.tables import UtcTime

DIALECTS = tuple(make_url(url).get_dialect()() for url in ("sqlite://", "postgresql+psycopg://"))
ZONES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1), timezones=ZONES)


@given(time=TIMES)
def test_an_instant_comes_back_in_utc(time: datetime) -> None:
    for dialect in DIALECTS:
        stored = UtcTime().process_bind_param(time, dialect)
        assert stored is not None
        for back in (stored, stored.replace(tzinfo=None), stored.astimezone(timezone(timedelta(hours=3)))):
            read = UtcTime().process_result_value(back, dialect)
            assert (read, read and read.tzinfo) == (time, UTC)


def test_no_time_is_no_time_and_no_zone_is_refused() -> None:
    assert UtcTime().process_bind_param(None, DIALECTS[0]) is None
    assert UtcTime().process_result_value(None, DIALECTS[0]) is None
    with pytest.raises(InvalidInput, match="2026-01-02T00:00:00 has no zone"):
        UtcTime().process_bind_param(datetime(2026, 1, 2), DIALECTS[0])
