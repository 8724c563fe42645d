"""Erasing a patient: rows, recordings, files of runs, keys in backups, and what was worked out from them.

What is to be erased is written down first. The warehouse follows, in one transaction that ends with a receipt in the
audit trail; then files. An erasure that was interrupted is finished by asking for it again, or by the next
housekeeping. What other people's charts know of the cohort rested on the patient,
too: it is made anew, at once or with the next night.

A digest of the pseudonym is kept, in the warehouse and beside it, so that a delivery that still lies in the landing
zone is not taken in again and a backup from before does not bring the patient back.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from affect_pipeline.errors import AffectError, LandingZoneUnavailable
from affect_pipeline.files import read_json, write_bytes, write_json
from affect_pipeline.journals.identity import KEY_CHARS, Pseudonyms
from affect_pipeline.journals.landing import LandingZone
from affect_pipeline.journals.store import RawStore
from affect_pipeline.nights import Nights
from affect_pipeline.privacy import keyfiles
from affect_pipeline.privacy.audit import record
from affect_pipeline.settings import Settings

SENT = ".sent"
"""Suffix of the files that say what FHIR servers are to delete still."""

TEXT_SUFFIXES = (".log", ".json", ".jsonl", ".html", ".txt", ".csv", ".md")
NOT_OURS = ("postgres", "secrets", "raw", "landing", "models", "erasing")
"""Folders of the home without text about patients, or handled by themselves: recordings, erasures under way."""


class NoSuchPatient(AffectError):
    """Neither a pseudonym nor an identifier of a patient that is known here."""


@dataclass(frozen=True)
class Receipt:
    """What an erasure removed.

    Parameters
    ----------
    event : int
        Number of the audit event.
    rows : dict
        Rows removed, by table.
    n_recordings, n_files : int
        Recordings and other files removed or cleaned.
    n_left_in_landing : int
        Recordings that still lie in the landing zone; they will not be taken in again.
    unreachable : tuple of str
        Key files of backups that could not be reached.
    servers : tuple of str
        FHIR servers that still hold something of the patient; housekeeping asks them again.
    """

    event: int
    rows: dict[str, int]
    n_recordings: int
    n_files: int
    n_left_in_landing: int
    unreachable: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Traces:
    """What may be found of a patient outside the tables that have the pseudonym."""

    patient_key: str
    journal_ids: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    key_ids: frozenset[str] = frozenset()
    nights: frozenset[date] = frozenset()

    def __or__(self, other: _Traces) -> _Traces:
        names = ("journal_ids", "words", "key_ids", "nights")
        return _Traces(self.patient_key, *(getattr(self, name) | getattr(other, name) for name in names))

    def write(self, path: Path) -> None:
        content = {name: sorted(map(str, value)) for name, value in vars(self).items() if name != "patient_key"}
        write_json(content | {"patient_key": self.patient_key}, path)
        path.chmod(0o600)

    @classmethod
    def read(cls, path: Path) -> _Traces:
        content = read_json(path)
        ids, words, keys = (frozenset(content[name]) for name in ("journal_ids", "words", "key_ids"))
        return cls(content["patient_key"], ids, words, keys, frozenset(map(date.fromisoformat, content["nights"])))


def erase(
    settings: Settings,
    patient: str,
    *,
    today: date,
    actor: str | None = None,
    reason: str = "asked for",
    clear_landing: bool = False,
) -> Receipt:
    """Erase everything about one patient.

    Parameters
    ----------
    settings : Settings
        The installation.
    patient : str
        The pseudonym, or the identifier in the landing zone, which goes no further.
    today : date
        Deliveries of nights up to this day are never taken in again.
    actor : str, optional
        Who asked for it; by default the system user.
    reason : str
        A word for the receipt, such as ``withdrawn``.
    clear_landing : bool
        Also remove the patient's files from the landing zone.

    Returns
    -------
    Receipt

    Raises
    ------
    NoSuchPatient
        If nothing is known of the patient, and no erasure was interrupted.
    LandingZoneUnavailable
        If it is to be cleared and cannot be reached; asking again finishes the erasure.
    """
    from affect_pipeline.warehouse.engine import connect

    engine = connect(settings)
    key, known = find_patient(settings, engine, patient)
    under_way = _under_way(settings) / f"{erased_digest(key)}.json"
    if not known and not under_way.exists():
        raise NoSuchPatient("nothing is known here of a patient with that pseudonym or identifier")
    _remember(settings, engine, erased_digest(key), today)
    with engine.begin() as connection:
        traces = _traces(connection, key) | (_Traces.read(under_way) if under_way.exists() else _Traces(key))
        traces.write(under_way)
        _note_sent(connection, key, under_way.with_suffix(SENT))
        removed = connection.execute(_query("erase_patient"), {"patient_key": key}).all()
        rows = {row.table_name: row.n_rows for row in removed}
        event = record(connection, "patient_erased", key, actor, reason=reason, rows=rows)
        connection.execute(_query("forget_audit_subject"), {"patient_key": key})
        if traces.nights:
            _count_nights_again(connection, traces.nights)
    store = RawStore(settings.raw_dir)
    n_recordings = sum(store.remove(journal_id) for journal_id in sorted(traces.journal_ids))
    n_files = _remove_runs(settings, key) + _clean_texts(settings, traces.words)
    unreachable = keyfiles.forget_keys(settings, traces.key_ids)
    left = _in_landing(settings, key, clear_landing)
    under_way.unlink()
    servers = _withdraw(settings, under_way.with_suffix(SENT))
    return Receipt(event, rows, n_recordings, n_files, left, tuple(map(str, unreachable)), servers)


def finish_interrupted(settings: Settings, today: date) -> int:
    """Finish erasures that were interrupted; returns how many."""
    waiting = sorted(_under_way(settings).glob("*.json"))
    for path in waiting:
        erase(settings, _Traces.read(path).patient_key, today=today, reason="interrupted")
    for path in sorted(_under_way(settings).glob(f"*{SENT}")):
        _withdraw(settings, path)
    return len(waiting)


def _note_sent(connection: sa.Connection, key: str, path: Path) -> None:
    """Write down what FHIR servers were sent: once the warehouse has forgotten it nothing else would know."""
    from affect_pipeline.interop.push import sent_of

    sent = [asdict(one) for one in sent_of(connection, key)]
    if sent:
        write_json((read_json(path) if path.exists() else []) + sent, path)
        path.chmod(0o600)


def _withdraw(settings: Settings, path: Path) -> tuple[str, ...]:
    """Have the FHIR server delete its copies; returns the servers that still hold some, which are asked again."""
    from affect_pipeline.interop.push import Sent, withdraw

    if not path.exists():
        return ()
    left = withdraw(settings, [Sent(**one) for one in read_json(path)])
    if left:
        write_json([asdict(one) for one in left], path)
        path.chmod(0o600)
    else:
        path.unlink()
    return tuple(sorted({one.server for one in left}))


def derive_again(settings: Settings, through: date | None) -> None:
    """Make charts and cohort profiles anew without those who were erased, up to the night they had come to."""
    from affect_pipeline.stages.monitor import monitor

    if through is not None:
        monitor(settings, Nights.one(through))


def charts_through(engine: sa.Engine) -> date | None:
    """Return the night that the charts have come to; None if there are none."""
    with engine.connect() as connection:
        through: date | None = connection.execute(_query("list_progress")).scalar_one()
    return through


def find_patient(settings: Settings, engine: sa.Engine, patient: str) -> tuple[str, bool]:
    """Return the pseudonym of a patient, and whether the warehouse knows it."""
    candidates = [Pseudonyms(settings.pseudonym_key()).patient_key(patient)]
    if re.fullmatch(f"[0-9a-f]{{{KEY_CHARS}}}", patient):
        candidates.insert(0, patient)
    with engine.connect() as connection:
        for key in candidates:
            if connection.execute(_query("is_patient"), {"patient_key": key}).scalar_one():
                return key, True
    return candidates[0], False


def erased_digest(patient_key: str) -> str:
    """Return what stands for an erased patient: SHA-256, hex."""
    return hashlib.sha256(f"erased:{patient_key}".encode()).hexdigest()


def erased_through(connection: sa.Connection) -> dict[str, date]:
    """Return who was erased, as digests, and the last night whose deliveries are passed over."""
    return {row.patient_digest: row.through_night for row in connection.execute(_query("list_erasures"))}


def erase_again(settings: Settings) -> int:
    """Erase anew whom a restored backup brought back; returns how many."""
    from affect_pipeline.warehouse.engine import connect

    engine = connect(settings)
    erasures = {digest: date.fromisoformat(night) for digest, night in _remembered(settings).items()}
    if not erasures:
        return 0
    with engine.begin() as connection:
        for digest, night in sorted(erasures.items()):
            connection.execute(_query("add_erasure"), {"patient_digest": digest, "through_night": night})
        known = [row.patient_key for row in connection.execute(_query("list_patients"))]
    back = [key for key in known if erased_digest(key) in erasures]
    through = charts_through(engine)
    for key in back:
        erase(settings, key, today=erasures[erased_digest(key)], reason="restored")
    if back:
        derive_again(settings, through)
    return len(back)


def _remember(settings: Settings, engine: sa.Engine, digest: str, today: date) -> None:
    """Write down first who is to be erased, here and in the warehouse: whatever happens next can be finished."""
    write_json(_remembered(settings) | {digest: today.isoformat()}, _memory(settings))
    with engine.begin() as connection:
        connection.execute(_query("add_erasure"), {"patient_digest": digest, "through_night": today})


def _remembered(settings: Settings) -> dict[str, str]:
    path = _memory(settings)
    return dict(read_json(path)) if path.exists() else {}


def _under_way(settings: Settings) -> Path:
    return settings.home / "erasing"


def _memory(settings: Settings) -> Path:
    return settings.home / "erasures.json"


def _traces(connection: sa.Connection, key: str) -> _Traces:
    rows = connection.execute(_query("list_traces"), {"patient_key": key}).all()
    alerts = connection.execute(_query("list_alerts_of_patient"), {"patient_key": key}).scalars().all()
    voice_keys = connection.execute(_query("find_key_of_patient"), {"patient_key": key}).all()
    words = {key, *alerts, *(row.journal_id for row in rows), *(row.delivery_key for row in rows)}
    return _Traces(
        key,
        frozenset(row.journal_id for row in rows),
        frozenset(words),
        frozenset(bytes(row.key_id).hex() for row in voice_keys),
        frozenset(row.night for row in rows),
    )


def _count_nights_again(connection: sa.Connection, nights: frozenset[date]) -> None:
    from affect_pipeline.warehouse.derive import derive_nights

    derive_nights(connection, Nights(min(nights), max(nights)))


def _remove_runs(settings: Settings, key: str) -> int:
    """Remove the files of runs that the patient was part of: they are made again when a run is."""
    removed = 0
    for folder in sorted(settings.work_dir.glob("*")):
        if folder.is_dir() and _names(folder, key):
            removed += sum(path.is_file() for path in folder.rglob("*"))
            shutil.rmtree(folder)
    return removed


def _names(run: Path, key: str) -> bool:
    """Tell whether the files of a run name a patient; a run without a readable manifest is taken to."""
    from affect_pipeline.files import read_parquet

    try:
        return key in read_parquet(run / "manifest.parquet", ["patient_key"])["patient_key"].to_pylist()
    except (OSError, ValueError):
        return True


def _clean_texts(settings: Settings, words: Iterable[str]) -> int:
    """Blot out the patient's keys in logs, reports and the like; the lines stay readable."""
    pattern = re.compile(b"|".join(re.escape(word.encode()) for word in sorted(words)))
    cleaned = 0
    for path in text_files(settings.home):
        content = path.read_bytes()
        if pattern.search(content):
            write_bytes(pattern.sub(b"erased", content), path)
            cleaned += 1
    return cleaned


def text_files(home: Path) -> Iterator[Path]:
    """Yield the text files of an installation: logs, reports and the like."""
    for folder in sorted(home.glob("*")):
        if folder.name in NOT_OURS:
            continue
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.suffix in TEXT_SUFFIXES:
                yield path


def _in_landing(settings: Settings, key: str, clear: bool) -> int:
    """Count, or remove, what lies in the landing zone of a patient whose identifier there is not known here."""
    pseudonyms = Pseudonyms(settings.pseudonym_key())
    try:
        zone = LandingZone(settings.landing)
    except LandingZoneUnavailable:
        if clear:
            raise
        return 0  # what lies there is not taken in again anyway
    found = 0
    for folder in zone.patient_folders():
        if pseudonyms.patient_key(folder.rpartition("/")[2]) != key:
            continue
        found += zone.count_recordings(folder)
        if clear:
            zone.remove_folder(folder)
    return 0 if clear else found


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"privacy/{name}"))
