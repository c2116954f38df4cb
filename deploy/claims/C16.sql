-- SPDX-License-Identifier: MIT
-- C16. When a network groks, the lengths of its stiff and its sloppy step cross.
-- Rule, at weight multiplier 10: in most runs stiff less sloppy step length, as the mean of five measured epochs,
-- takes both signs. Lines without a rule show the first epoch with another sign than the first one's.
WITH chosen AS (
  SELECT * FROM paper_runs
  WHERE weight_multiplier = 10
    AND (task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64
         OR task = 'ising' AND weight_decay = 0.1 AND batch_size = 0)),
smooth AS (
  SELECT p.task, p.run_id, p.last_epoch, p.paper_epochs, g.epoch,
         avg(step_fisher_stiff - step_fisher_sloppy) OVER (PARTITION BY p.run_id ORDER BY g.epoch
                                                           ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING) > 0 AS stiffer
  FROM chosen AS p JOIN geometry AS g USING (run_id)
  WHERE step_fisher_stiff IS NOT NULL AND step_fisher_sloppy IS NOT NULL),
signs AS (
  SELECT *, first_value(stiffer) OVER (PARTITION BY run_id ORDER BY epoch) AS at_first FROM smooth),
run AS (
  SELECT task, last_epoch, paper_epochs, min(epoch) FILTER (WHERE stiffer <> at_first) AS crossing
  FROM signs GROUP BY run_id),
parts(task) AS (
  VALUES ('modular_addition'), ('ising')),
found AS (
  SELECT parts.task, 1 AS part, crossing IS NOT NULL AS x, run.last_epoch, run.paper_epochs
  FROM parts JOIN run USING (task)
  UNION ALL
  SELECT task, 2, crossing, last_epoch, paper_epochs FROM run WHERE crossing IS NOT NULL
  UNION ALL
  SELECT task, 1, NULL, NULL, NULL FROM parts WHERE task NOT IN (SELECT task FROM run))
SELECT task, iif(part = 1, 'share of runs whose lengths cross', 'epoch where they cross') AS quantity,
       iif(part = 1, 'all', '') AS paper, avg(x) AS ours,
       sqrt(max(0, avg(x * x) - avg(x) * avg(x)) * count(x) / (count(x) - 1.0)) AS spread,
       iif(part = 1, '> 0.5', NULL) AS rule, iif(part = 1, avg(x) > 0.5, NULL) AS holds,
       count(x) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs,
       'needs stiff and sloppy steps of runs with weight multiplier 10' AS missing
FROM found GROUP BY task, part ORDER BY task DESC, part;
