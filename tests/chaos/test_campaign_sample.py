"""The beginning of a campaign: the harness itself works, and finds nothing."""

import time
from pathlib import Path

import pytest
from tests.chaos.campaign.campaign import Campaign, Plan
from tests.chaos.campaign.report import summed

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(420)]

FAULTS, AT_MOST_S, SEED = 40, 40.0, 4


async def test_the_first_faults_leave_nothing_lost_torn_or_behind(tmp_path: Path) -> None:
    said: list[str] = []
    plan = Plan(root=tmp_path, seed=SEED, faults=FAULTS, ends_at=time.time() + AT_MOST_S, zombie_s=12.0)

    await Campaign(plan, say=said.append).run()

    report = summed([tmp_path])
    assert report.faults, said
    assert report.operations, said
    assert report.described == []
    assert report.audits
    assert report.clean, said
