-- Per weight multiplier, means over seeds: when a run learned its training set and when the test set, by
-- how many epochs later (t_grok), whether that is grokking, and how far its weights can be pruned:
-- compressibility at the end, at its peak, and the epoch of the peak.
SELECT weight_multiplier,
       count(*)                                                              AS seeds,
       round(avg(t_train), 1)                                                AS t_train,
       round(avg(t_test), 1)                                                 AS t_test,
       round(avg(t_grok), 1)                                                 AS t_grok,
       CASE WHEN avg(t_grok) > avg(t_train) - 1 THEN 'grokked'
            WHEN avg(t_grok) IS NOT NULL THEN 'steady' END                   AS learning,
       round(avg(final_test_accuracy), 4)                                    AS test_accuracy,
       round(avg(compressibility_final), 2)                                  AS c_final,
       round(avg(compressibility_peak), 2)                                   AS c_peak,
       round(avg(epoch_peak), 1)                                             AS epoch_peak
FROM run_summary
GROUP BY weight_multiplier
ORDER BY weight_multiplier;
