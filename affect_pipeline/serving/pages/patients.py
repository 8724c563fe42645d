"""*Patients*: find one, and see who is in which state."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Query, Request, Response

from affect_pipeline.serving.access import Reader, database_of
from affect_pipeline.serving.pages.render import page
from affect_pipeline.serving.patients import patient_page as page_of_patients
from affect_pipeline.serving.schemas import PatientState

router = APIRouter()
PAGE_SIZE = 50
STATES = get_args(PatientState)


@router.get("/dashboard/patients", name="patients_page")
def patients_page(
    request: Request,
    person: Reader,
    *,
    state: Annotated[str, Query(max_length=40)] = "",
    clinic: Annotated[str, Query(max_length=200)] = "",
    key: Annotated[str, Query(max_length=32)] = "",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """List the patients the person may see."""
    key = key.strip().lower()
    valid_key = key if key and set(key) <= set("0123456789abcdef") else None
    filters = {"clinic": clinic.strip() or None, "state": state if state in STATES else None, "key_prefix": valid_key}
    with database_of(request).as_person(person.login) as queries:
        found = page_of_patients(queries, PAGE_SIZE, cursor, **filters)
    return page(
        request,
        "patients.html",
        title="Patients",
        patients=found["patients"],
        next_cursor=found["next_cursor"],
        states=STATES,
        state=filters["state"] or "",
        clinic=clinic,
        key=key,
        bad_key=bool(key) and valid_key is None,
        filtered=any(filters.values()),
    )
