# coordinator/hub.c
# Work goes out without the checkpoint that the store found for it.
s/has_checkpoint = a->checkpoint != NULL;/has_checkpoint = 0;/
