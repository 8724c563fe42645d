"""The warehouse in the words of others: FHIR R4 for clinical systems, the OMOP CDM for research.

`docs/interoperability.md` has the tables of what becomes what, and what is not claimed.
"""
