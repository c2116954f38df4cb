# coordinator/sched_worker.c
# After an absence of the coordinator its workers are judged by the time in which it heard nobody.
s/    if (away) renew_all(t);/    if (away \&\& t->now_ms < 0) renew_all(t);/
