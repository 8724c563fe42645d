-- Why recordings of a range of nights are in quarantine, or carry a warning.
SELECT
    reasons.reason,
    reasons.verdict,
    count(*) AS n_journals,
    count(DISTINCT reasons.patient_key) AS n_patients
FROM (
    SELECT
        journals.patient_key,
        unnest(journals.failed) AS reason,
        'failed' AS verdict
    FROM affect.journals
    WHERE journals.night BETWEEN :first_night AND :last_night
    UNION ALL
    SELECT
        journals.patient_key,
        unnest(journals.warned) AS reason,
        'warned' AS verdict
    FROM affect.journals
    WHERE journals.night BETWEEN :first_night AND :last_night
) AS reasons
GROUP BY reasons.reason, reasons.verdict
ORDER BY reasons.verdict, n_journals DESC, reasons.reason;
