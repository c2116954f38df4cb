# coordinator/sched_assign.c
# Work is handed out though the store waits: attempts rise and nobody hears of them.
s/ || s->full//
