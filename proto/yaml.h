// SPDX-License-Identifier: MIT
/* yaml: a YAML 1.2 text as a tree with line and column at every node. The door of libfyaml.
 *
 * Refused, each with its place: broken syntax, duplicate keys, keys that are no plain text, aliases
 * and tags, a second document, more than YAML_DEPTH levels or YAML_KEYS keys of one map, zero
 * bytes.
 */
#ifndef GROKD_PROTO_YAML_H
#define GROKD_PROTO_YAML_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define YAML_DEPTH 32
#define YAML_KEYS  1000

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    int line, column;  /* from 1 */
    char *text;        /* SCALAR: its text, quotes and folds resolved; else NULL */
    bool quoted;       /* SCALAR: so that "1" can be told from 1 */
    size_t count;      /* LIST, MAP: entries */
    struct yaml **key; /* MAP: scalars */
    struct yaml **item;
};

/* Reads a text into a tree (gives; free with yaml_free). `file` stands in
 * messages only: E_FILE, FILE:LINE:COLUMN: what is wrong. */
int yaml_parse(struct yaml **out, const char *text, size_t size, const char *file, struct err *e);

/* Frees and sets to NULL; accepts NULL. */
void yaml_free(struct yaml **node);

/* The entry of a map, or NULL (lends). */
const struct yaml *yaml_get(const struct yaml *map, const char *key);

/* "a map", "a list", "text" or "nothing": what a node is, for messages. */
const char *yaml_what(const struct yaml *node);

#endif
