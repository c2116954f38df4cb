-- SPDX-License-Identifier: MIT
-- C2. The Ising network groks from a weight multiplier between 2 and 4 on.
-- Rule: a multiplier groks if the means over its seeds have t_grok > t_train - 1 (epochs count from 1). The least
-- that does is above 2 and at most 4; the paper's text says 3, its figure 9 between 3 and 4. Its spread is that of the
-- least one of each seed. Lines without a rule compare t_grok with the figure.
WITH chosen AS (
  SELECT *, weight_multiplier AS w0 FROM paper_runs
  WHERE task = 'ising' AND weight_decay = 0.1 AND batch_size = 0),
settings AS (
  SELECT w0, avg(t_train) AS t_train, avg(t_grok) AS t_grok,
         sqrt(max(0, avg(t_grok * t_grok) - avg(t_grok) * avg(t_grok))
              * count(t_grok) / (count(t_grok) - 1.0)) AS spread,
         count(t_grok) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs
  FROM chosen GROUP BY w0),
onset AS (
  SELECT min(w0) FILTER (WHERE t_grok > t_train - 1) AS w0,
         count(*) FILTER (WHERE w0 IN (2, 4) AND seeds > 0) = 2 AS tested,
         min(seeds) AS seeds, min(epochs) AS epochs, min(paper_epochs) AS paper_epochs
  FROM settings),
onset_of_seed AS (
  SELECT min(w0) AS w0 FROM chosen WHERE grokked = 1 GROUP BY seed),
figure(w0, t_grok) AS (
  VALUES (1, '-23'), (2, '5'), (3, '168'), (4, '891'), (10, '10090'))
SELECT 'ising' AS task, 'least weight multiplier that groks' AS quantity,
       '3 to 4' AS paper, w0 AS ours,
       (SELECT sqrt(max(0, avg(w0 * w0) - avg(w0) * avg(w0)) * count(w0) / (count(w0) - 1.0))
        FROM onset_of_seed) AS spread,
       '> 2, <= 4' AS rule,
       CASE WHEN tested THEN coalesce(w0 > 2 AND w0 <= 4, 0) END AS holds,
       seeds, epochs, paper_epochs,
       'needs runs with weight multipliers 2 and 4' AS missing
FROM onset
UNION ALL
SELECT 'ising', printf('t_grok at weight multiplier %g', w0), figure.t_grok, s.t_grok, s.spread,
       NULL, NULL, s.seeds, s.epochs, s.paper_epochs, NULL
FROM figure JOIN settings AS s USING (w0);
