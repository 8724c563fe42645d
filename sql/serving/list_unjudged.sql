-- Patients who cannot be judged at present, and why, in the order in which that is expected to end: no channel has a
-- baseline that is ready. Of several channels the first speaks. The index baselines_unready is walked in this order.
SELECT
    baselines.patient_key,
    patients.clinic,
    patients.time_zone,
    baselines.state,
    baselines.reason,
    baselines.ready_on,
    baselines.n_days
FROM affect.baselines
INNER JOIN affect.patients ON baselines.patient_key = patients.patient_key
WHERE
    baselines.state <> 'ready'
    AND patients.consent_withdrawn_night IS NULL
    AND NOT EXISTS (
        SELECT FROM affect.baselines AS other
        WHERE
            other.patient_key = baselines.patient_key
            AND (
                other.as_of_night > baselines.as_of_night
                OR (
                    other.as_of_night = baselines.as_of_night
                    AND (
                        other.state = 'ready'
                        OR (other.channel, other.model_digest) < (baselines.channel, baselines.model_digest)
                    )
                )
            )
    )
ORDER BY baselines.ready_on ASC NULLS LAST, baselines.patient_key
LIMIT :page_size;
