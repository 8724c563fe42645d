"""A short run of the coverage-guided fuzzer; `scripts/fuzz_parsers all -max_total_time=600` is a longer one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "fuzz_parsers"
N_RUNS = 2000


@pytest.mark.slow
def test_parsers_read_or_refuse_whatever_they_are_given(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris has no wheel for this machine")
    # No limit of memory here: the peak that libFuzzer reads is inherited from the process that ran the tests before.
    command = [sys.executable, str(SCRIPT), "all", f"-runs={N_RUNS}", "-seed=1", "-rss_limit_mb=0"]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(SCRIPT.parents[1]), *filter(None, sys.path)]))

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(rf"#{N_RUNS}\s+DONE", done.stderr)
    assert list(tmp_path.glob("crash-*")) == []
