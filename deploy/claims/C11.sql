-- SPDX-License-Identifier: MIT
-- C11. Compressibility has a transient peak just after the test accuracy has risen.
-- Rule: at weight multipliers 0.1 and 10 the peak of c is at least 1.4 times its final value, and at most 30 epochs
-- from t_test. Asks runs that measured c at every epoch up to 150, lest the peak is missed.
WITH parts(w0, learning, ratio) AS (
  VALUES (0.1, 'learning', '1.5'), (10, 'grokking', '1.67')),
chosen AS (
  SELECT *, weight_multiplier AS w0 FROM paper_runs AS p
  WHERE task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64
    AND weight_multiplier IN (0.1, 10)
    AND (SELECT count(compressibility) FROM epochs WHERE run_id = p.run_id AND epoch BETWEEN 1 AND 150) = 150),
found AS (
  SELECT 'peak' AS kind, parts.*, compressibility_peak / compressibility_final AS x, last_epoch, paper_epochs
  FROM parts LEFT JOIN chosen USING (w0)
  UNION ALL
  SELECT 'time', parts.*, abs(epoch_peak - t_test), last_epoch, paper_epochs
  FROM parts LEFT JOIN chosen USING (w0))
SELECT 'modular_addition' AS task,
       iif(kind = 'peak', 'peak of c over its end, ', 'epochs from t_test to the peak, ') || learning AS quantity,
       iif(kind = 'peak', ratio, 'just after') AS paper, avg(x) AS ours,
       sqrt(max(0, avg(x * x) - avg(x) * avg(x)) * count(x) / (count(x) - 1.0)) AS spread,
       iif(kind = 'peak', '>= 1.4', '<= 30') AS rule,
       iif(kind = 'peak', avg(x) >= 1.4, avg(x) <= 30) AS holds,
       count(x) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs,
       printf('needs c at every epoch up to 150 of runs with weight multiplier %g', w0) AS missing
FROM found GROUP BY kind, w0, learning, ratio;
