"""librosa is imported, and compiled, by one process at a time."""

import fcntl
import subprocess
import sys
import time
from pathlib import Path

from affect_pipeline.acoustics.compiled import import_librosa, lock_file

IMPORT = "from affect_pipeline.acoustics.compiled import import_librosa; import_librosa(); print('imported')"


def test_a_process_waits_for_another_that_compiles() -> None:
    with lock_file().open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        child = subprocess.Popen([sys.executable, "-c", IMPORT], stdout=subprocess.PIPE, text=True)
        while not _waits(child.pid):
            assert child.poll() is None, "it was imported although another process holds the lock"
            time.sleep(0.05)
    assert child.communicate()[0] == "imported\n"


def test_what_uses_compiled_parts_of_librosa_has_imported_them() -> None:
    librosa = import_librosa()
    assert {"librosa.util.utils", "librosa.core.audio", "librosa.core.pitch"} <= set(sys.modules)
    assert librosa is import_librosa()


def _waits(pid: int) -> bool:
    locks = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and str(pid) in line.split() for line in locks)
