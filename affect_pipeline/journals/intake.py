"""Taking one delivery in: sidecar, consent, copy, content. Whatever is wrong with it stays its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from affect_pipeline.errors import JournalError, QuestionnaireError, SidecarError
from affect_pipeline.journals.formats import FORMATS, audio_format
from affect_pipeline.journals.identity import Pseudonyms, refused_id
from affect_pipeline.journals.landing import Delivery, LandingZone
from affect_pipeline.journals.manifest import ManifestRow
from affect_pipeline.journals.questionnaires import Arrival, QuestionnaireRow, read_questionnaire, refused
from affect_pipeline.journals.sidecar import MAX_SIDECAR_BYTES, Sidecar, consent_of, parse_sidecar, profile_of
from affect_pipeline.journals.store import RawStore


@dataclass(frozen=True)
class TakenIn:
    """What came of one delivery.

    Parameters
    ----------
    row : ManifestRow
        The recording; of a questionnaire that came alone, only what it says of the patient.
    form_key : str or None
        Pseudonym of the JSON file that was read, if there is one.
    questionnaire : QuestionnaireRow or None
        The questionnaire in it.
    """

    row: ManifestRow
    form_key: str | None = None
    questionnaire: QuestionnaireRow | None = None


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

    def take_in(self, delivery: Delivery) -> TakenIn:
        """Take one recording in, with its sidecar and the questionnaire that may stand there.

        Parameters
        ----------
        delivery : Delivery
            What lies in the landing zone.

        Returns
        -------
        TakenIn
            Its row has ``problem`` set if it cannot be used. The audio is copied unless consent was
            withdrawn, it is too large or empty, or it could not be read.

        Raises
        ------
        LandingZoneUnavailable
            If reading failed and the landing zone as a whole is gone.
        """
        content = self._sidecar(delivery)
        row, withdrawn = self._described(delivery, content)
        if not withdrawn:
            row = self._with_audio(delivery, row)
        if isinstance(content, SidecarError) or delivery.sidecar_relative_path is None:
            return TakenIn(row)
        key = self.pseudonyms.delivery_key(delivery.sidecar_relative_path)
        arrival = Arrival(key, row.patient_key, row.night, "journal", row.journal_id)
        return TakenIn(row, key, read_questionnaire(content, arrival))

    def take_in_form(self, delivery: Delivery) -> TakenIn:
        """Take in a JSON file that has no recording beside it; a questionnaire, perhaps.

        Parameters
        ----------
        delivery : Delivery
            The JSON file. What holds no questionnaire may be a sidecar whose recording is still to come.

        Returns
        -------
        TakenIn
            Its row holds the patient's profile if the file names the clinic.

        Raises
        ------
        LandingZoneUnavailable
            If reading failed and the landing zone as a whole is gone.
        """
        key = self.pseudonyms.delivery_key(delivery.relative_path)
        arrival = Arrival(key, self.pseudonyms.patient_key(delivery.source_id), delivery.night, "file")
        row = ManifestRow(key, delivery.night, refused_id(key), arrival.patient_key, delivery.night)
        content = self._sidecar(delivery)
        if isinstance(content, SidecarError):
            return TakenIn(row, key, refused(QuestionnaireError("unreadable", content.detail), arrival))
        form = read_questionnaire(content, arrival)
        if form is None:
            return TakenIn(row, key)
        row = replace(row, consent=consent_of(content))
        return TakenIn(row if form.problem else _with_profile(row, content, delivery.source_id, form), key, form)

    def _with_audio(self, delivery: Delivery, row: ManifestRow) -> ManifestRow:
        try:
            if delivery.outside:
                raise JournalError("outside_landing_zone", "a link that leaves the landing zone")
            if delivery.n_bytes is not None and delivery.n_bytes > self.max_bytes:
                raise JournalError("too_large", f"{delivery.n_bytes} bytes; at most {self.max_bytes} are taken in")
            return self._stored(delivery, row)
        except JournalError as error:
            return replace(row, problem=error.reason, problem_detail=error.detail)

    def _sidecar(self, delivery: Delivery) -> bytes | SidecarError:
        """Return what the sidecar holds, or why that is not known."""
        if delivery.sidecar_path is None:
            return SidecarError("sidecar_missing", "there is no JSON file of the same name beside the audio")
        try:
            with self.zone.open(delivery.sidecar_path) as file:
                return file.read(MAX_SIDECAR_BYTES + 1)
        except JournalError as error:
            return SidecarError("sidecar_missing", error.detail)

    def _described(self, delivery: Delivery, content: bytes | SidecarError) -> tuple[ManifestRow, bool]:
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
        if isinstance(content, SidecarError):
            return replace(row, problem=content.reason, problem_detail=content.detail), False
        try:
            if consent_of(content) is False:
                detail = "the sidecar says that consent was withdrawn; the audio was not copied"
                return replace(row, consent=False, problem="consent_withdrawn", problem_detail=detail), True
            return _with_sidecar(row, parse_sidecar(content, delivery.source_id)), False
        except SidecarError as error:
            return replace(row, problem=error.reason, problem_detail=error.detail), False

    def _stored(self, delivery: Delivery, row: ManifestRow) -> ManifestRow:
        with self.zone.open(delivery.path) as file:
            stored = self.store.put(file, self.max_bytes, row.patient_key)
        found = audio_format(stored.head)
        row = replace(row, journal_id=stored.journal_id, n_bytes=stored.n_bytes, audio_format=found, in_store=True)
        if found is None:
            return replace(row, problem="not_audio", problem_detail=f"the content is none of {', '.join(FORMATS)}")
        return row


def _with_profile(row: ManifestRow, content: bytes, source_id: str, form: QuestionnaireRow) -> ManifestRow:
    """Add what a file without a recording says of the patient; without a clinic it would wipe what is known."""
    profile = profile_of(content, source_id)
    if profile["clinic"] is None:
        return row
    return replace(
        row,
        recorded_at=form.answered_at,
        clinic=profile["clinic"],
        time_zone=profile["time_zone"],
        language=profile["language"],
        sex=profile["sex"],
        age_band=profile["age_band"],
    )


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
