#!/bin/bash
# Workers on a Slurm cluster, beside a coordinator that runs on the head node:
#   sbatch --array=1-16 deploy/slurm-worker.sh
# Each array task is one worker with as many slots as it has cores. It hands its runs back before the
# allocation ends (Slurm's signal, two minutes early) and leaves when nothing is left to do.
#SBATCH --job-name=grokd-worker
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=256M
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --output=grokd-worker-%A-%a.log

: "${GROKD_DIR:=$HOME/grokd}"
exec srun --cpu-bind=cores grokd-worker --access "$GROKD_DIR/access" -j "${SLURM_CPUS_PER_TASK:-1}" --idle-timeout 10m
