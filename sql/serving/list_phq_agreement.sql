-- How far does each voice channel go with the PHQ, within patients and between them, and does its change tell a rise?
SELECT
    a.model_digest,
    a.channel,
    a.n_patients,
    a.n_pairs,
    a.within_patients,
    a.within_r,
    a.within_low,
    a.within_high,
    a.between_r,
    a.between_low,
    a.between_high,
    u.n_changes,
    u.n_rises,
    u.auc,
    u.auc_low,
    u.auc_high
FROM affect.phq_agreement AS a
LEFT JOIN affect.phq_change_auc AS u ON a.model_digest = u.model_digest AND a.channel = u.channel
ORDER BY a.model_digest, a.channel;
