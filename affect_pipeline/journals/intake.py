"""Taking one delivery in: sidecar, consent, copy, content. Whatever is wrong with it stays its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from affect_pipeline.errors import JournalError, SidecarError
from affect_pipeline.journals.formats import FORMATS, audio_format
from affect_pipeline.journals.identity import Pseudonyms, refused_id
from affect_pipeline.journals.landing import Delivery, LandingZone
from affect_pipeline.journals.manifest import ManifestRow
from affect_pipeline.journals.sidecar import MAX_SIDECAR_BYTES, Sidecar, consent_of, parse_sidecar
from affect_pipeline.journals.store import RawStore


class Intake:
    """Takes deliveries from a landing zone into the store.

    Parameters
    ----------
    zone : LandingZone
        Where deliveries lie.
    store : RawStore
        Where recordings go.
    pseudonyms : Pseudonyms
        Makes their keys.
    max_bytes : int
        Largest recording that is taken in.
    """

    def __init__(self, zone: LandingZone, store: RawStore, pseudonyms: Pseudonyms, max_bytes: int) -> None:
        self.zone, self.store, self.pseudonyms, self.max_bytes = zone, store, pseudonyms, max_bytes

    def take_in(self, delivery: Delivery) -> ManifestRow:
        """Take one delivery in.

        Parameters
        ----------
        delivery : Delivery
            What lies in the landing zone.

        Returns
        -------
        ManifestRow
            With ``problem`` set if it cannot be used. Its audio is copied unless consent was
            withdrawn, it is too large or empty, or it could not be read.

        Raises
        ------
        LandingZoneUnavailable
            If reading failed and the landing zone as a whole is gone.
        """
        row, withdrawn = self._described(delivery)
        if withdrawn:
            return row
        try:
            if delivery.outside:
                raise JournalError("outside_landing_zone", "a link that leaves the landing zone")
            if delivery.n_bytes is not None and delivery.n_bytes > self.max_bytes:
                raise JournalError("too_large", f"{delivery.n_bytes} bytes; at most {self.max_bytes} are taken in")
            return self._stored(delivery, row)
        except JournalError as error:
            return replace(row, problem=error.reason, problem_detail=error.detail)

    def _described(self, delivery: Delivery) -> tuple[ManifestRow, bool]:
        """Return the row without its audio, and whether consent was withdrawn."""
        key = self.pseudonyms.delivery_key(delivery.relative_path)
        row = ManifestRow(
            delivery_key=key,
            night=delivery.night,
            journal_id=refused_id(key),
            patient_key=self.pseudonyms.patient_key(delivery.source_id),
            local_day=delivery.night,
            n_bytes=delivery.n_bytes,
        )
        try:
            content = self._read_sidecar(delivery)
            if consent_of(content) is False:
                detail = "the sidecar says that consent was withdrawn; the audio was not copied"
                return replace(row, consent=False, problem="consent_withdrawn", problem_detail=detail), True
            return _with_sidecar(row, parse_sidecar(content, delivery.source_id)), False
        except SidecarError as error:
            return replace(row, problem=error.reason, problem_detail=error.detail), False

    def _read_sidecar(self, delivery: Delivery) -> bytes:
        if delivery.sidecar_path is None:
            raise SidecarError("sidecar_missing", "there is no JSON file of the same name beside the audio")
        try:
            with self.zone.open(delivery.sidecar_path) as file:
                return file.read(MAX_SIDECAR_BYTES + 1)
        except JournalError as error:
            raise SidecarError("sidecar_missing", error.detail) from error

    def _stored(self, delivery: Delivery, row: ManifestRow) -> ManifestRow:
        with self.zone.open(delivery.path) as file:
            stored = self.store.put(file, self.max_bytes, row.patient_key)
        found = audio_format(stored.head)
        row = replace(row, journal_id=stored.journal_id, n_bytes=stored.n_bytes, audio_format=found, in_store=True)
        if found is None:
            return replace(row, problem="not_audio", problem_detail=f"the content is none of {', '.join(FORMATS)}")
        return row


def _with_sidecar(row: ManifestRow, sidecar: Sidecar) -> ManifestRow:
    """Add what the sidecar says; a time in the future or missing consent is a problem."""
    if sidecar.local_day > row.night + timedelta(days=1):
        # Nothing of such a sidecar is kept: its profile would count as the newest for ever.
        detail = f"recorded {(sidecar.local_day - row.night).days} days after it arrived"
        return replace(row, consent=sidecar.consent, problem="recorded_in_future", problem_detail=detail)
    row = replace(
        row,
        local_day=sidecar.local_day,
        recorded_at=sidecar.recorded_at,
        utc_offset_min=sidecar.utc_offset_min,
        time_zone=sidecar.time_zone,
        device=sidecar.device,
        prompt=sidecar.prompt,
        language=sidecar.language,
        clinic=sidecar.clinic,
        sex=sidecar.sex,
        age_band=sidecar.age_band,
        consent=sidecar.consent,
    )
    if sidecar.consent is None:
        return replace(row, problem="consent_missing", problem_detail="the sidecar says nothing about consent")
    return row
