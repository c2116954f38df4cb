# coordinator/run.c
# Whenever an attempt ends, the kernels that made the run's numbers are forgotten.
s/    if (r->is.epochs_done < 0) r->is.blas =/    r->is.blas =/
