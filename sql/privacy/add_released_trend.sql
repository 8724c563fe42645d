INSERT INTO affect.released_trends (release_id, cohort, week_start, measure, value, low_95, high_95, noise_sd)
VALUES (:release_id, :cohort, :week_start, :measure, :value, :low_95, :high_95, :noise_sd);
