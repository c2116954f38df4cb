// SPDX-License-Identifier: MIT
/* yaml: a YAML 1.2 text as a tree with line and column at every node. The door of libfyaml.
 *
 * The tree is built from the parser's events, because every event knows its place, while of a
 * document's nodes only the scalars do.
 */
#include "proto/yaml.h"

#include "proto/utf8.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

struct builder {
    struct fy_parser *parser;
    struct fy_diag *diag;
    const char *file;
    struct err *e;
};

static int wrong(const struct builder *b, int line, int column, const char *what)
{
    return err_set(b->e, E_FILE, "%s:%d:%d: %s", b->file, line, column, what);
}

static int no_memory(const struct builder *b)
{
    return err_set(b->e, E_NOMEM, "%s: no memory", b->file);
}

/* The first thing the parser complained about; it does not tell a bad text from a failed request
 * for memory, only errno does (zero when parsing begins). */
static int syntax_error(const struct builder *b)
{
    if (errno == ENOMEM) return no_memory(b);
    void *at = NULL;
    const struct fy_diag_error *d = fy_diag_errors_iterate(b->diag, &at);
    if (!d) return wrong(b, 1, 1, "not YAML");
    return err_set(b->e, E_FILE, "%s:%d:%d: not YAML: %.200s", b->file, d->line, d->column,
                   d->msg ? d->msg : "unknown error");
}

/* The next event into *event, to be freed; NULL there at the end of the text. */
static int next(struct builder *b, struct fy_event **event)
{
    *event = fy_parser_parse(b->parser);
    if (!*event && fy_parser_get_stream_error(b->parser)) return syntax_error(b);
    return OK;
}

static void place(const struct fy_event *event, struct yaml *node)
{
    const struct fy_mark *mark = fy_event_start_mark((struct fy_event *)event);
    node->line = mark ? mark->line + 1 : 1;
    node->column = mark ? mark->column + 1 : 1;
}

static int fill_scalar(struct builder *b, const struct fy_event *event, struct yaml *node)
{
    size_t size;
    const char *text = fy_token_get_text(event->scalar.value, &size);
    if (errno == ENOMEM) return no_memory(b);
    enum fy_scalar_style style = fy_scalar_token_get_style(event->scalar.value);
    node->quoted = style != FYSS_PLAIN && style != FYSS_ANY;
    if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
        node->column--; /* the mark stands behind the quote */
    if (style != FYSS_DOUBLE_QUOTED) size = strnlen(text ? text : "", size); /* see below */
    node->text = malloc(size + 1);
    if (!node->text) return no_memory(b);
    memcpy(node->text, text ? text : "", size);
    node->text[size] = '\0';
    if (strlen(node->text) != size)
        return wrong(b, node->line, node->column, "text with an escaped zero byte");
    return OK;
}

static int check_key(struct builder *b, const struct yaml *map, const struct yaml *key)
{
    if (key->kind != YAML_SCALAR)
        return wrong(b, key->line, key->column, "a key that is no text; expected a name");
    if (map->count == YAML_KEYS)
        return wrong(b, key->line, key->column, "too many keys in one map; expected at most 1000");
    for (size_t i = 0; i < map->count; i++)
        if (!strcmp(map->key[i]->text, key->text))
            return err_set(b->e, E_FILE,
                           "%s:%d:%d: duplicate key \"%.60s\"; it already stands in line %d",
                           b->file, key->line, key->column, key->text, map->key[i]->line);
    return OK;
}

/* Room for one more entry; doubles, so that a long list is not copied for each of them. */
static bool grow(struct yaml *node)
{
    size_t n = node->count;
    if (n & (n - 1)) return true;
    struct yaml **item = realloc(node->item, (n ? 2 * n : 1) * sizeof *item);
    if (item) node->item = item;
    struct yaml **key =
        node->kind == YAML_MAP ? realloc(node->key, (n ? 2 * n : 1) * sizeof *key) : NULL;
    if (key) node->key = key;
    return item && (key || node->kind != YAML_MAP);
}

/* A value that was left out has no place of its own. */
static bool is_nothing(const struct yaml *node)
{
    return node->kind == YAML_SCALAR && !node->quoted && !node->text[0];
}

static int build(struct builder *b, struct fy_event *event, int depth, struct yaml **out);

/* One entry whose first event is given: of a list the item, of a map key and item. */
static int entry(struct builder *b, struct fy_event *event, int depth, struct yaml *node)
{
    struct yaml *key = NULL, *item = NULL;
    int rc;
    if (node->kind == YAML_MAP) {
        if ((rc = build(b, event, depth, &key)) < 0) goto done;
        if ((rc = check_key(b, node, key)) < 0 || (rc = next(b, &event)) < 0) goto done;
    }
    if ((rc = build(b, event, depth, &item)) < 0) goto done;
    if (!grow(node)) {
        rc = no_memory(b);
        goto done;
    }
    if (is_nothing(item)) {
        item->line = key ? key->line : node->line;
        item->column = key ? key->column : node->column;
    }
    if (key) node->key[node->count] = key;
    node->item[node->count++] = item;
    return OK;
done:
    yaml_free(&key);
    yaml_free(&item);
    return rc;
}

static int fill_list_or_map(struct builder *b, int depth, struct yaml *node)
{
    for (;;) {
        struct fy_event *event;
        int rc = next(b, &event);
        if (rc < 0) return rc;
        if (!event) return wrong(b, node->line, node->column, "a list or map that does not end");
        if (event->type == FYET_SEQUENCE_END || event->type == FYET_MAPPING_END) {
            fy_parser_event_free(b->parser, event);
            return OK;
        }
        if ((rc = entry(b, event, depth + 1, node)) < 0) return rc;
    }
}

static int fill(struct builder *b, const struct fy_event *event, int depth, struct yaml *node)
{
    if (event->type == FYET_ALIAS)
        return wrong(b, node->line, node->column, "an alias; expected the value written out");
    if (fy_event_get_tag_token((struct fy_event *)event))
        return wrong(b, node->line, node->column, "a tag; expected the value alone");
    if (depth == YAML_DEPTH)
        return wrong(b, node->line, node->column, "nested too deeply; expected at most 32 levels");
    node->kind = event->type == FYET_SEQUENCE_START  ? YAML_LIST
                 : event->type == FYET_MAPPING_START ? YAML_MAP
                                                     : YAML_SCALAR;
    if (node->kind == YAML_SCALAR) return fill_scalar(b, event, node);
    return OK;
}

/* The node that begins with an event, which it frees. */
static int build(struct builder *b, struct fy_event *event, int depth, struct yaml **out)
{
    struct yaml *node = calloc(1, sizeof *node);
    int rc = OK;
    if (!node || !event) {
        rc = node ? wrong(b, 1, 1, "the text ends too early") : no_memory(b);
    } else {
        place(event, node);
        rc = fill(b, event, depth, node);
    }
    if (event) fy_parser_event_free(b->parser, event);
    if (rc == OK && node->kind != YAML_SCALAR) rc = fill_list_or_map(b, depth, node);
    if (rc < 0) yaml_free(&node);
    *out = node;
    return rc;
}

/* The one document of the stream; what is not a node is passed over. */
static int build_document(struct builder *b, struct yaml **out)
{
    for (;;) {
        struct fy_event *event;
        int rc = next(b, &event);
        if (rc < 0) return rc;
        if (!event) break;
        if (event->type == FYET_DOCUMENT_START && *out) {
            struct yaml at;
            place(event, &at);
            fy_parser_event_free(b->parser, event);
            return wrong(b, at.line, at.column, "a second document; expected one");
        }
        if (event->type == FYET_SCALAR || event->type == FYET_SEQUENCE_START ||
            event->type == FYET_MAPPING_START || event->type == FYET_ALIAS) {
            if ((rc = build(b, event, 0, out)) < 0) return rc;
        } else {
            fy_parser_event_free(b->parser, event);
        }
    }
    return *out ? OK : wrong(b, 1, 1, "nothing in it; expected a map");
}

/* The parser stops at a zero byte and drops what is no UTF-8, both without a word. */
static int check_text(const struct builder *b, const char *text, size_t size)
{
    int line = 1, column = 1;
    for (size_t i = 0, n; i < size; i += n) {
        n = utf8_length(text + i);
        if (n == 0 || i + n > size) return wrong(b, line, column, "bytes that are no UTF-8");
        if (utf8_control(text + i) && (!text[i] || !strchr("\n\r\t", text[i])))
            return wrong(b, line, column, "a control character");
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    return OK;
}

static void discard(struct fy_diag *diag, void *user, const char *text, size_t size)
{
    (void)diag, (void)user, (void)text, (void)size;
}

static int open_parser(struct builder *b, const char *text, size_t size)
{
    struct fy_diag_cfg quiet;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    quiet.output_fn = discard;
    b->diag = fy_diag_create(&quiet);
    if (!b->diag) return no_memory(b);
    fy_diag_set_collect_errors(b->diag, true);
    struct fy_parse_cfg cfg = {.flags = FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
                               .diag = b->diag};
    errno = 0;
    b->parser = fy_parser_create(&cfg);
    if (!b->parser || fy_parser_set_string(b->parser, text, size)) return no_memory(b);
    return OK;
}

/* libfyaml 0.7 reads memory that nobody wrote when a text ends within an empty block scalar, and no
 * line end follows: so one always does. It then takes such a scalar for one zero byte: only escapes
 * in double quotes can really make one. */
static char *copy_with_line_end(const char *text, size_t size)
{
    char *copy = malloc(size + 2);
    if (!copy) return NULL;
    memcpy(copy, text, size);
    strcpy(copy + size, size && text[size - 1] == '\n' ? "" : "\n");
    return copy;
}

int yaml_parse(struct yaml **out, const char *text, size_t size, const char *file, struct err *e)
{
    struct builder b = {.file = file, .e = e};
    *out = NULL;
    char *copy = copy_with_line_end(text, size);
    int rc = copy ? check_text(&b, copy, size) : no_memory(&b);
    if (rc == OK) rc = open_parser(&b, copy, strlen(copy));
    if (rc == OK) rc = build_document(&b, out);
    if (rc < 0) yaml_free(out);
    if (b.parser) fy_parser_destroy(b.parser);
    if (b.diag) fy_diag_destroy(b.diag);
    free(copy);
    return rc;
}

void yaml_free(struct yaml **node)
{
    struct yaml *n = *node;
    *node = NULL;
    if (!n) return;
    for (size_t i = 0; i < n->count; i++) {
        if (n->key) yaml_free(&n->key[i]);
        yaml_free(&n->item[i]);
    }
    free(n->key);
    free(n->item);
    free(n->text);
    free(n);
}

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
    for (size_t i = 0; map && map->kind == YAML_MAP && i < map->count; i++)
        if (!strcmp(map->key[i]->text, key)) return map->item[i];
    return NULL;
}

const char *yaml_what(const struct yaml *node)
{
    if (node->kind == YAML_LIST) return "a list";
    if (node->kind == YAML_MAP) return "a map";
    return is_nothing(node) ? "nothing" : "text";
}
