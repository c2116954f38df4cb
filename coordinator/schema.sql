-- SPDX-License-Identifier: MIT
-- results.db: everything grokd knows, in tables that a person can ask.
--
-- A sweep is a file that was submitted; its grid is a row of runs for every point; a run is tried in
-- attempts, each on one worker; what it reports goes to epochs, geometry, pruning and features, and when it
-- has finished its curve is boiled down to one row of summaries. Ask with
--
--     sqlite3 -readonly results.db "SELECT * FROM run_summary"
--
-- while the sweep runs; readers never wait for the coordinator, nor it for them.
--
--   * Epoch 0 is the model as initialised, epoch e the model after e passes over the training set;
--     a run of E epochs has E + 1 rows. NULL means not measured at that epoch, or not a number.
--   * Losses are in nat, shares (accuracies, fractions) between 0 and 1, times in seconds, points in
--     time in UTC as '2026-01-31T23:59:59.999Z'. '1' is a number without unit.
--   * Rows of epochs, geometry, pruning and features are written once and never changed: an epoch that arrives
--     twice must be equal bit for bit (timings apart), or its run fails as not reproducible.
--
-- A line --@ stands for columns made from the one list of hyperparameters (proto/param.def) or of
-- measures (proto/metric.def); in a database they are written out.

CREATE TABLE sweeps (
  -- A sweep file that was submitted.
  sweep_id    INTEGER PRIMARY KEY,
  name        TEXT    NOT NULL, -- as in the file
  spec        TEXT    NOT NULL, -- the file as sent
  spec_hash   TEXT    NOT NULL UNIQUE, -- SHA-256 of the file: the same file twice is the same sweep
  state       TEXT    NOT NULL  -- done: every run is over
              CHECK (state IN ('active', 'paused', 'cancelled', 'done')),
  priority    INTEGER NOT NULL, -- higher is served first
  created_at  TEXT    NOT NULL,
  aggregate_due INTEGER NOT NULL DEFAULT 0, -- 1: statistics and map are to be written, 2: they are being
  aggregated_at TEXT            -- when they were last: at the sweep's end, or by grokctl aggregate
) STRICT;

CREATE TABLE evaluations (
  -- The inputs on which all models of a task are compared: for modular addition all pairs, for ising
  -- a set of snapshots that is the same for every run. Runs of one evaluation share one map: the
  -- sketch y of a model (geometry.sketch) is linear in the roots of its probabilities, and
  -- |y - y'|^2 estimates the squared Hellinger distance, the mean over inputs of
  -- sum over classes of (sqrt p - sqrt p')^2.
  evaluation_id INTEGER PRIMARY KEY,
  hash        TEXT    NOT NULL UNIQUE, -- SHA-256 of inputs, labels and the map of sketches
  task        TEXT    NOT NULL,
  samples     INTEGER NOT NULL, -- inputs
  classes     INTEGER NOT NULL,
  sketch_rows INTEGER NOT NULL, -- numbers of a sketch, float32, little-endian
  ignorance   BLOB    NOT NULL, -- sketch of the model that gives every class the same probability
  truth       BLOB    NOT NULL  -- sketch of the model that is right and certain
) STRICT;

CREATE TABLE runs (
  -- One training: a point of a sweep's grid, with everything that decides its numbers.
  run_id      INTEGER PRIMARY KEY,
  sweep_id    INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
  point       INTEGER NOT NULL, -- position in the grid, from 0
  config_hash TEXT    NOT NULL, -- SHA-256 of the hyperparameters, sorted by name
  setting     INTEGER NOT NULL, -- the same for runs that differ in nothing but their seeds

  -- Hyperparameters.
  --@ hyperparameters

  -- How far it is.
  state       TEXT    NOT NULL DEFAULT 'waiting'
              CHECK (state IN ('waiting', 'running', 'finished', 'failed', 'cancelled')),
  reason      TEXT,             -- why it failed, was cancelled or waits again
  attempt     INTEGER NOT NULL DEFAULT 0,  -- the last one handed out; 0: none yet
  worker_id   INTEGER REFERENCES workers,  -- that holds it, while running
  failures    INTEGER NOT NULL DEFAULT 0,  -- attempts that failed by the run's own fault
  losses      INTEGER NOT NULL DEFAULT 0,  -- attempts that were lost with their worker
  epochs_done INTEGER NOT NULL DEFAULT -1, -- last stored epoch; -1: none
  blas        TEXT,             -- kernel family it is bound to, from its first attempt
  blas_fingerprint TEXT,        -- SHA-256 of fixed products computed with that family
  evaluation_id INTEGER REFERENCES evaluations, -- of its sketches; NULL: it has none yet
  started_at  TEXT,             -- of its first attempt
  finished_at TEXT,             -- when it was over: finished, failed or cancelled
  UNIQUE (sweep_id, setting       -- a configuration once: what its hash covers, in fewer bytes
    --@ and seeds
  )
) STRICT;

-- The next run for a worker is found by these two, however many runs there are; so are counts. Every
-- index ends with the row's own number, here run_id.
CREATE INDEX sweeps_to_serve ON sweeps (priority DESC, sweep_id) WHERE state = 'active';
CREATE INDEX runs_by_state ON runs (sweep_id, state);
CREATE INDEX runs_by_evaluation ON runs (sweep_id, evaluation_id) WHERE evaluation_id IS NOT NULL;
CREATE INDEX sweeps_to_aggregate ON sweeps (sweep_id) WHERE aggregate_due > 0;

CREATE TABLE attempts (
  -- One try of a run on one worker. The number rises; only the last one's reports are believed.
  run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  attempt     INTEGER NOT NULL, -- from 1
  worker_id   INTEGER NOT NULL REFERENCES workers,
  started_at  TEXT    NOT NULL, -- when it was handed out
  ended_at    TEXT,             -- NULL: under way
  outcome     TEXT,             -- finished, failed, lost, returned, cancelled, stale
  reason      TEXT,             -- in words, with the end of the run's log
  from_epoch  INTEGER,          -- first epoch it reported
  to_epoch    INTEGER,          -- last epoch it reported
  blas        TEXT    NOT NULL, -- kernel family it was told to use
  blas_fingerprint TEXT NOT NULL,
  seconds     REAL,             -- s: on the worker, as the worker says
  PRIMARY KEY (run_id, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
  -- A worker daemon, from its start to its end.
  worker_id    INTEGER PRIMARY KEY,
  uuid         TEXT    NOT NULL, -- drawn by the process when it starts
  host         TEXT    NOT NULL,
  cpu          TEXT    NOT NULL, -- model of its processor
  slots        INTEGER NOT NULL, -- runs it trains at a time
  version      TEXT    NOT NULL,
  git          TEXT,             -- commit it was built from
  state        TEXT    NOT NULL CHECK (state IN ('connected', 'left', 'lost', 'quarantined')),
  connected_at TEXT    NOT NULL,
  last_seen_at TEXT    NOT NULL, -- to the minute or so, while it is connected
  key_name     TEXT              -- of the key that it came in with, and must come back with
) STRICT;

CREATE TABLE epochs (
  -- The learning curve of a run.
  run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  epoch       INTEGER NOT NULL, -- 0: as initialised
  --@ metrics epochs
  PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE geometry (
  -- The step in weight space between measured epochs e'' < e' < e: row e holds theta(e) - theta(e'),
  -- and the step before is theta(e') - theta(e''). NULL where the two span different numbers of epochs.
  run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  epoch       INTEGER NOT NULL, -- e
  --@ metrics geometry
  sketch      BLOB,             -- of the model's predictions, see evaluations
  PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE pruning (
  -- Test accuracy and loss with the smallest weights set to zero: the curve whose area gives
  -- epochs.compressibility. round-half-even(fraction n) of n weights are pruned, biases are spared.
  run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  epoch       INTEGER NOT NULL,
  scheme      TEXT    NOT NULL, -- layer: the same share of every layer, by magnitude
  layer       TEXT    NOT NULL, -- the only layer pruned; '': all of them
  fraction    REAL    NOT NULL, -- share: of the weights pruned
  accuracy    REAL,             -- share: right on the test set
  loss        REAL,             -- nat: mean cross-entropy on the test set
  PRIMARY KEY (run_id, epoch, scheme, layer, fraction)
) STRICT, WITHOUT ROWID;

CREATE TABLE predictions (
  -- What a model predicts on 256 inputs of its evaluation, the same for all its runs, at the epochs
  -- that measure.predictions asks for: for distances and maps that a sketch cannot give.
  run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  epoch       INTEGER NOT NULL,
  classes     INTEGER NOT NULL,
  inputs      BLOB    NOT NULL, -- int32, little-endian: numbers of inputs, from 0: of pairs a*P + b
  labels      BLOB    NOT NULL, -- int32: as many
  roots       BLOB    NOT NULL, -- float16: [inputs][classes], roots of the probabilities
  PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE features (
  -- What parts of a model are like, at measured epochs; what is undefined has no row. By layer:
  -- a tensor by its name (model.0.weight, ...): norm, and of weights stable_rank; at curve_epochs
  --   effective_rank and, with pruning scheme single, compressibility (c of pruning it alone);
  -- model, at curve_epochs: gradient_norm of the training loss, cos_descent_weights (of -gradient and
  --   weights; +1: descent does nothing but scale the weights up);
  -- U, V, W, of modular addition and subtraction, at curve_epochs: weights of the first and the second
  --   operand, and of the output: ipr_real, ipr_complex, ipr_rfft, and of W energy_K, of frequency K;
  -- all, at curve_epochs: shift_D, mean probability over all pairs of the class D above the label; test,
  --   of ising, at curve_epochs: ordered_I, mean probability of the ordered phase at temperature I;
  -- conv1, conv2, fc1, of ising: correlations r of the pre-activations of a layer's neurons (each site of
  --   a convolution is one) with a quantity q of the snapshots of the test set, energy (per bond),
  --   magnetization, abs_magnetization: q_mean and q_median, of |r| over the neurons; q_weighted, its
  --   mean weighted by the neurons' mean |pre-activation| (arXiv 2502.01739, equation 6); q_share, the
  --   share of neurons whose |r| is greatest with q;
  -- llc, at the last epoch if asked for: loss_I, mean loss over the I-th hundredth of the Langevin chain;
  -- stiff, sloppy, once `grokctl stiff` was asked about a finished run: step_fisher, cos_previous_fisher,
  --   cos_origin_fisher of the parameters whose Fisher diagonal (regression) at the run's last epoch is
  --   at least measure.stiff_threshold, and of the others; parameters, their share, at the last epoch.
  run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  epoch       INTEGER NOT NULL,
  layer       TEXT    NOT NULL, -- model.0.weight, W, fc1, stiff, ...
  name        TEXT    NOT NULL, -- norm, ipr_real, energy_weighted, ...
  value       REAL    NOT NULL, -- 1; losses: nat
  PRIMARY KEY (run_id, epoch, layer, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE summaries (
  -- What a finished run's curve says. An accuracy is learned at the first epoch, from 1 on, where it
  -- exceeds a factor times its greatest value over the run (epoch 0 apart). The factor is 0.9; of the
  -- columns _95 it is 0.95. A run groks if t_grok > t_train - 1 (arXiv 2502.01739, definitions 1, 2,
  -- whose epochs count from 0). The plateau begins at t_train and ends before t_plateau_end, or before
  -- t_test where there is none (ising).
  run_id         INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
  t_train        INTEGER, -- epoch: training accuracy is learned
  t_test         INTEGER, -- epoch: test accuracy is learned
  t_grok         INTEGER, -- epochs: t_test - t_train
  grokked        INTEGER CHECK (grokked IN (0, 1)), -- 1: it groks; 0: it learns steadily
  t_train_95     INTEGER,
  t_test_95      INTEGER,
  t_grok_95      INTEGER,
  grokked_95     INTEGER CHECK (grokked_95 IN (0, 1)),
  t_plateau_end  INTEGER, -- epoch: first after t_train with test accuracy above twice chance; ising: NULL
  last_epoch     INTEGER NOT NULL, -- epoch: where the run ended
  final_train_loss     REAL, -- nat: train_loss of the last epoch
  final_test_loss      REAL, -- nat
  final_train_accuracy REAL, -- share
  final_test_accuracy  REAL, -- share
  compressibility_final REAL, -- 1: at the last epoch
  compressibility_peak  REAL, -- 1: greatest value, epoch 0 apart
  epoch_peak     INTEGER, -- epoch: where it is first reached
  peak_lag       INTEGER, -- epochs: from the plateau's end to the peak; negative: the peak is before
  straightness_max      REAL,    -- 1: greatest geometry.straightness from t_train on
  epoch_straightness_max INTEGER, -- epoch: where it is first reached
  straightness_plateau  REAL,    -- 1: mean over the plateau's measured epochs
  t_step_min     INTEGER, -- epoch: step_fisher, after a median of five, turns from falling to rising, first time
  t_step_max     INTEGER  -- epoch: and then from rising to falling; turns of 5% of its range count
) STRICT;

CREATE TABLE seed_stats (
  -- The mean curve of a setting: over its seeds, epoch by epoch, for every measure. As of
  -- sweeps.aggregated_at; of epochs alone, the view seed_mean says the same at any time.
  sweep_id    INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
  setting     INTEGER NOT NULL, -- of runs
  epoch       INTEGER NOT NULL,
  measure     TEXT    NOT NULL, -- a column of epochs or geometry
  mean        REAL,
  error       REAL,             -- standard error of the mean; NULL below two
  count       INTEGER NOT NULL, -- runs that have the measure at this epoch
  PRIMARY KEY (sweep_id, setting, epoch, measure)
) STRICT, WITHOUT ROWID;

CREATE TABLE tradeoff (
  -- Is a final model that fits better also harder to compress? The line through compressibility_final
  -- against final_train_loss of a sweep's finished runs, by least squares, in the two regimes of
  -- arXiv 2502.01739 apart, and for each setting of all that the sweep varies but weight_multiplier and
  -- seeds. The interval supposes residuals that are normal and alike. None for a sweep of more than a
  -- thousand such settings (an event says so). As of sweeps.aggregated_at.
  sweep_id    INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
  task        TEXT    NOT NULL,
  varied      TEXT    NOT NULL, -- batch_size=64, hidden=512: of these runs; '': nothing else varies
  regime      TEXT    NOT NULL CHECK (regime IN ('low', 'high')), -- weight_multiplier <= 0.4, >= 1
  runs        INTEGER NOT NULL, -- with both values
  slope       REAL,             -- 1/nat; NULL: the runs do not say, as below
  slope_from  REAL,             -- 1/nat: 95 % interval (Student, runs - 2 degrees of freedom)
  slope_to    REAL,
  intercept   REAL,             -- 1
  r2          REAL,             -- share of the variance of compressibility that the line explains
  PRIMARY KEY (sweep_id, task, varied, regime)
) STRICT, WITHOUT ROWID;

CREATE TABLE embedding (
  -- The joint map of a sweep: every model with a sketch is a point, and distances between points are
  -- Hellinger distances between predictions (squared: the mean over inputs of sum over classes of
  -- (sqrt p - sqrt p')^2), as far as three axes keep them: the principal components of the sketches.
  -- Points of runs with another evaluation_id belong to another map. As of sweeps.aggregated_at.
  sweep_id    INTEGER NOT NULL,
  run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  epoch       INTEGER NOT NULL,
  x1          REAL    NOT NULL, -- 1: along the first axis; 0 is the middle of the cloud
  x2          REAL    NOT NULL,
  x3          REAL    NOT NULL,
  PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE embedding_quality (
  -- How much of a cloud its map shows: one row a sweep and evaluation.
  sweep_id    INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
  evaluation_id INTEGER NOT NULL REFERENCES evaluations,
  points      INTEGER NOT NULL, -- sketches, without the five anchors
  variance    REAL,             -- 1: mean squared distance from the middle
  kept_1      REAL,             -- share of it along x1
  kept_2      REAL,             -- share: x1 and x2 together
  kept_3      REAL,             -- share: all three
  PRIMARY KEY (sweep_id, evaluation_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE embedding_anchors (
  -- Synthetic points of a map: ignorance (every class alike), truth (right and certain), and the
  -- geodesic between them at 1/4, 1/2, 3/4. Every axis points from ignorance to truth; one that is
  -- square to that direction has its greatest component positive.
  sweep_id    INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
  evaluation_id INTEGER NOT NULL REFERENCES evaluations,
  name        TEXT    NOT NULL, -- ignorance, geodesic .25, geodesic .50, geodesic .75, truth
  x1          REAL    NOT NULL,
  x2          REAL    NOT NULL,
  x3          REAL    NOT NULL,
  PRIMARY KEY (sweep_id, evaluation_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
  -- Where a run can go on: the newest two of each that is not over, in files beside the database.
  run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  epoch       INTEGER NOT NULL, -- the run after this epoch
  attempt     INTEGER NOT NULL, -- that made it
  path        TEXT    NOT NULL, -- from the folder of the database
  sha256      TEXT    NOT NULL, -- of the file; checked before use
  bytes       INTEGER NOT NULL,
  PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
  -- Weights of the epochs of save_model, as safetensors files with the names of a PyTorch state dict.
  run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  epoch       INTEGER NOT NULL,
  attempt     INTEGER NOT NULL, -- that reported it first
  path        TEXT    NOT NULL, -- from the folder of the database
  sha256      TEXT    NOT NULL, -- of the file; the same whoever trains the run
  bytes       INTEGER NOT NULL,
  PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  -- What happened and why, in words.
  event_id    INTEGER PRIMARY KEY,
  at          TEXT    NOT NULL,
  kind        TEXT    NOT NULL, -- one word: submitted, retried, differs, ...
  run_id      INTEGER,
  worker_id   INTEGER,
  text        TEXT    NOT NULL
) STRICT;

CREATE INDEX events_of_run ON events (run_id) WHERE run_id IS NOT NULL;

CREATE VIEW run_summary AS
  -- One row for every run: where it stands, its hyperparameters, and its summary once it has one.
  SELECT
    r.run_id, r.sweep_id, w.name AS sweep, r.state, r.epochs_done,
    --@ hyperparameters of r
    s.t_train, s.t_test, s.t_grok, s.grokked, s.t_train_95, s.t_test_95, s.t_grok_95, s.grokked_95,
    s.t_plateau_end, s.final_train_loss, s.final_test_loss, s.final_train_accuracy,
    s.final_test_accuracy, s.compressibility_final, s.compressibility_peak, s.epoch_peak, s.peak_lag,
    s.straightness_max, s.epoch_straightness_max, s.straightness_plateau, s.t_step_min, s.t_step_max,
    r.reason
  FROM runs AS r JOIN sweeps AS w USING (sweep_id) LEFT JOIN summaries AS s USING (run_id);

CREATE VIEW seed_mean AS
  -- The mean curve of a setting: over its seeds, epoch by epoch, for every measure x the columns
  -- x (mean over the seeds that have it) and x_error (standard error of that mean; NULL below two).
  SELECT
    r.sweep_id, r.setting, e.epoch,
    --@ hyperparameters but seeds of r
    --@ means of e
    count(*) AS seeds -- that have this epoch
  FROM runs AS r JOIN epochs AS e USING (run_id)
  GROUP BY r.sweep_id, r.setting, e.epoch;

CREATE VIEW paper_runs AS
  -- Finished runs at the settings of arXiv 2502.01739, with their summaries: every hyperparameter has the
  -- default of its task, but for weight_multiplier, weight_decay, batch_size, epochs and seed. Of runs that
  -- differ in their epochs alone, the one nearest to paper_epochs counts. deploy/claims asks this view.
  WITH at_its_settings AS (
    SELECT run_id, task, weight_multiplier, weight_decay, batch_size, seed, epochs,
           CASE WHEN task = 'ising' THEN 100000 WHEN weight_decay = 0.0003 THEN 10000 ELSE 1000 END
             AS paper_epochs
    FROM runs AS r
    WHERE state = 'finished' AND (
      --@ defaults of the tasks
    )),
  ranked AS (
    SELECT *, row_number() OVER (PARTITION BY task, weight_multiplier, weight_decay, batch_size, seed
                                 ORDER BY abs(epochs - paper_epochs), run_id) AS choice
    FROM at_its_settings)
  SELECT * FROM ranked JOIN summaries USING (run_id) WHERE choice = 1;
