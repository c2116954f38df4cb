-- SPDX-License-Identifier: MIT
-- C13. Grokking of the Ising phases takes a nearly straight road.
-- Rule: the greatest cosine of consecutive steps (diagonal Fisher metric) is at least 0.98 in grokking (weight
-- multiplier 10), and above that of learning (1) of the same seed, in the mean.
WITH peak AS (
  SELECT weight_multiplier AS w0, seed, last_epoch, paper_epochs,
         (SELECT max(cos_previous_fisher) FROM geometry AS g WHERE g.run_id = p.run_id) AS x
  FROM paper_runs AS p
  WHERE task = 'ising' AND weight_decay = 0.1 AND batch_size = 0
    AND weight_multiplier IN (1, 10)),
found AS (
  SELECT 1 AS part, x, last_epoch, paper_epochs FROM peak WHERE w0 = 10
  UNION ALL
  SELECT 2, a.x - b.x, min(a.last_epoch, b.last_epoch), a.paper_epochs
  FROM peak AS a JOIN peak AS b USING (seed) WHERE a.w0 = 10 AND b.w0 = 1),
parts(part, quantity, paper, rule, missing) AS (
  VALUES (1, 'greatest cosine of consecutive steps, grokking', 'about 1', '>= 0.98',
          'needs geometry of runs with weight multiplier 10'),
         (2, 'the same, less that of learning', 'positive', '> 0',
          'needs geometry of runs with weight multipliers 1 and 10 of the same seeds'))
SELECT 'ising' AS task, quantity, paper, avg(x) AS ours,
       sqrt(max(0, avg(x * x) - avg(x) * avg(x)) * count(x) / (count(x) - 1.0)) AS spread, rule,
       iif(part = 1, avg(x) >= 0.98, avg(x) > 0) AS holds,
       count(x) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs, missing
FROM parts LEFT JOIN found USING (part) GROUP BY part;
