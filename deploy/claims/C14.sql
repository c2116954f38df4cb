-- SPDX-License-Identifier: MIT
-- C14. On its plateau the grokking Ising network heads for the origin; early in learning it heads away.
-- Rule: the mean cosine of the steps with the direction to the origin (diagonal Fisher metric) is at least 0.5 at
-- weight multiplier 10 between t_train and t_test, and negative at 1 up to t_test.
WITH parts(w0, quantity, paper, rule) AS (
  VALUES (10, 'cosine to the origin on the plateau, grokking', 'about 1', '>= 0.5'),
         (1, 'cosine to the origin up to t_test, learning', 'negative', '< 0')),
chosen AS (
  SELECT *, weight_multiplier AS w0, iif(weight_multiplier = 10, t_train, 0) AS start FROM paper_runs
  WHERE task = 'ising' AND weight_decay = 0.1 AND batch_size = 0),
run AS (
  SELECT w0, last_epoch, paper_epochs,
         (SELECT avg(cos_origin_fisher) FROM geometry AS g
          WHERE g.run_id = p.run_id AND g.epoch > start AND g.epoch <= t_test) AS x
  FROM chosen AS p)
SELECT 'ising' AS task, quantity, paper, avg(x) AS ours,
       sqrt(max(0, avg(x * x) - avg(x) * avg(x)) * count(x) / (count(x) - 1.0)) AS spread, rule,
       iif(w0 = 10, avg(x) >= 0.5, avg(x) < 0) AS holds,
       count(x) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs,
       printf('needs geometry up to t_test of runs with weight multiplier %g', w0) AS missing
FROM parts LEFT JOIN run USING (w0) GROUP BY w0, quantity, paper, rule ORDER BY w0 DESC;
