# coordinator/sched_run.c
# A replayed epoch that differs from the stored one is acknowledged like one that is equal.
s/    case VERDICT_STORED: return stored(t, r, a);/    case VERDICT_STORED:/
s/    case VERDICT_DIFFERS:$/    case VERDICT_DIFFERS: return stored(t, r, a);/
