// SPDX-License-Identifier: MIT
/* spec_reader: what the two halves of spec share: where they read, and how they complain. */
#ifndef GROKD_PROTO_SPEC_READER_H
#define GROKD_PROTO_SPEC_READER_H

#include "proto/spec.h"
#include "proto/yaml.h"

struct spec_reader {
    struct spec *spec;
    struct err *e;
};

/* E_FILE with FILE:LINE:COLUMN: and the sentence. */
int spec_wrong(const struct spec_reader *r, const struct yaml *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Keeps a warning; beyond SPEC_WARNINGS they are dropped. */
int spec_warn(const struct spec_reader *r, const struct yaml *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Refuses the key at `at`, proposing the nearest of the words. */
int spec_unknown_key(const struct spec_reader *r, const struct yaml *at, const char *words);

/* A scalar that is something: E_FILE otherwise. `name` is what it is called in messages. */
int spec_scalar(const struct spec_reader *r, const struct yaml *node, const char *name);

/* Reads one entry of `parameters` into the next axis; nested ones flatten. */
int spec_axis(const struct spec_reader *r, const char *name, const struct yaml *key,
              const struct yaml *node);

#endif
