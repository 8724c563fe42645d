from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from affect_pipeline.journals.identity import Pseudonyms, refused_id

OURS = Pseudonyms(b"a secret of this installation")


@given(st.text(), st.text())
def test_keys_are_one_to_one_and_say_nothing(one: str, other: str) -> None:
    key = OURS.patient_key(one)
    assert re.fullmatch("[0-9a-f]{32}", key)
    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    assert (key == OURS.patient_key(other)) is same
    assert key != OURS.delivery_key(one)


def test_another_secret_gives_other_keys() -> None:
    assert OURS.patient_key("p1") != Pseudonyms(b"another secret altogether").patient_key("p1")


def test_names_from_disk_that_are_not_unicode_have_keys_too() -> None:
    assert len(OURS.patient_key(b"caf\xe9".decode("utf-8", "surrogateescape"))) == 32


def test_the_same_name_in_either_unicode_form_is_the_same_patient() -> None:
    assert OURS.patient_key(unicodedata.normalize("NFD", "Zoë")) == OURS.patient_key("Zoë")


def test_the_secret_is_not_shown() -> None:
    assert "secret" not in repr(OURS).replace("Pseudonyms", "")


def test_a_refused_delivery_has_an_identity_of_its_own() -> None:
    assert re.fullmatch("[0-9a-f]{64}", refused_id("a" * 32))
    assert refused_id("a" * 32) != refused_id("b" * 32)
