/* SPDX-License-Identifier: Apache-2.0
 *
 * libyaml events into a bounded tree. The only file that includes <yaml.h>. Reasons for the
 * refusals and the limits: facts of the language in docs/reference/policy.md; libyaml by itself
 * expands aliases, takes tags and needs minutes for 256 KiB of "[".
 */
#include "policy/yaml.h"

#include <inttypes.h>
#include <string.h>

#include <yaml.h>

#include "policy/characters.h"
#include "policy/policy.h"
#include "policy/report.h"

/* What a run over one file keeps. */
struct reader {
    yaml_parser_t yaml;
    const char *text;
    size_t length;
    struct laz_pos end; /* behind the last character */
    uint16_t file;
    struct laz_arena *arena;
    struct laz_report *report;

    struct laz_node *root;
    struct laz_node *open; /* the innermost collection that is not closed */
    uint32_t depth;
    uint32_t n_nodes;
    uint32_t n_documents;
    struct laz_node *key; /* read, and waiting for its value; not part of the tree */
};

/* The position behind the last character: where libyaml stands at the end may be a line that is not
 * there. */
static struct laz_pos end_position(const struct reader *reader)
{
    size_t length = reader->length;
    if (length > 0 && reader->text[length - 1] == '\n') {
        length--;
    }
    struct laz_pos pos = {.file = reader->file, .line = 1, .col = 1};
    for (size_t i = 0; i < length; i++) {
        if (reader->text[i] == '\n') {
            pos.line++;
            pos.col = 1;
        } else if (!laz_utf8_is_continuation(reader->text[i]) && reader->text[i] != '\r') {
            pos.col++;
        }
    }
    return pos;
}

static struct laz_pos position(const struct reader *reader, yaml_mark_t mark)
{
    struct laz_pos pos = {.file = reader->file,
            .line = (uint32_t)mark.line + 1,
            .col = (uint32_t)mark.column + 1};
    bool is_beyond = pos.line > reader->end.line ||
            (pos.line == reader->end.line && pos.col > reader->end.col);
    return is_beyond ? reader->end : pos;
}

static int refuse(struct reader *reader, yaml_mark_t mark, const char *why)
{
    laz_report_at(reader->report, LAZ_E_POLICY_SYNTAX, position(reader, mark), "%s", why);
    return -1;
}

static int refuse_size(struct reader *reader, yaml_mark_t mark, const char *what, unsigned limit)
{
    laz_report_at(reader->report, LAZ_E_POLICY_TOO_LARGE, position(reader, mark),
            "%s: the limit is %u", what, limit);
    return -1;
}

/* The byte at a mark; NUL at the end. */
static char byte_at(const struct reader *reader, yaml_mark_t mark)
{
    size_t i = 0;
    for (size_t line = 0; line < mark.line && i < reader->length; i++) {
        line += reader->text[i] == '\n' ? 1 : 0;
    }
    for (size_t col = 0; i < reader->length; i++) {
        if (!laz_utf8_is_continuation(reader->text[i]) && col++ == mark.column) {
            return reader->text[i];
        }
    }
    return '\0';
}

/* libyaml says "found character that cannot start any token". */
static const char *explain_character(char c)
{
    switch (c) {
    case '\t':
        return "a tab: only blanks indent";
    case '@':
        return "a value cannot begin with @: names of groups are written without it";
    default:
        return "a value cannot begin with this character: put it in quotes";
    }
}

/* libyaml's own complaint, in words where its words say little. */
static int refuse_parser_error(struct reader *reader)
{
    const yaml_parser_t *yaml = &reader->yaml;
    if (yaml->error == YAML_MEMORY_ERROR) {
        reader->arena->failed = true;
        return -1;
    }
    yaml_mark_t mark = yaml->problem_mark;
    const char *problem = yaml->problem != NULL ? yaml->problem : "unreadable";
    if (strcmp(problem, "found character that cannot start any token") == 0) {
        return refuse(reader, mark, explain_character(byte_at(reader, mark)));
    }
    laz_report_at(reader->report, LAZ_E_POLICY_SYNTAX, position(reader, mark),
            "not valid YAML: %s%s%s", yaml->context != NULL ? yaml->context : "",
            yaml->context != NULL ? ", " : "", problem);
    return -1;
}

static uint32_t hash_of(const char *text, size_t length)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    }
    return hash;
}

static struct laz_node *new_node(struct reader *reader, enum laz_node_kind kind, yaml_mark_t mark)
{
    struct laz_node *node = laz_arena_take(reader->arena, 1, sizeof(*node));
    if (node != NULL) {
        node->kind = kind;
        node->pos = position(reader, mark);
    }
    return node;
}

static bool is_key_expected(const struct reader *reader)
{
    return reader->open != NULL && reader->open->kind == LAZ_NODE_MAPPING && reader->key == NULL;
}

/* Hang a value into the tree. */
static int add(struct reader *reader, struct laz_node *node, yaml_mark_t mark)
{
    struct laz_node *parent = reader->open;
    if (parent == NULL) {
        reader->root = node;
        return 0;
    }
    if (parent->n_children == LAZ_POLICY_LIST_MAX) {
        return refuse_size(reader, mark, "too many entries", LAZ_POLICY_LIST_MAX);
    }
    if (reader->key != NULL) {
        node->key = reader->key->text;
        node->key_length = reader->key->length;
        node->key_pos = reader->key->pos;
        node->hash = hash_of(node->key, node->key_length);
        reader->key = NULL;
    }
    node->parent = parent;
    node->index = parent->n_children++;
    if (parent->last == NULL) {
        parent->first = node;
    } else {
        parent->last->next = node;
    }
    parent->last = node;
    return 0;
}

static int check_properties(struct reader *reader, const yaml_event_t *event,
        const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL) {
        return refuse(reader, event->start_mark, "anchors (&) are not allowed");
    }
    if (tag != NULL) {
        return refuse(reader, event->start_mark, "tags (!) are not allowed");
    }
    if (reader->n_nodes++ == LAZ_POLICY_NODES_MAX) {
        return refuse_size(reader, event->start_mark, "too many values", LAZ_POLICY_NODES_MAX);
    }
    return 0;
}

static int check_scalar(struct reader *reader, const yaml_event_t *event)
{
    yaml_scalar_style_t style = event->data.scalar.style;
    if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
        return refuse(reader, event->start_mark,
                "block text (| and >) is not allowed: write a quoted string on one line");
    }
    if (event->start_mark.line != event->end_mark.line) {
        return refuse(reader, event->start_mark, "a value must stand on one line");
    }
    if (event->data.scalar.length > LAZ_POLICY_SCALAR_MAX) {
        return refuse_size(reader, event->start_mark, "value too long", LAZ_POLICY_SCALAR_MAX);
    }
    const char *text = (const char *)event->data.scalar.value;
    if (laz_characters_find_bad(text, event->data.scalar.length, false) !=
            event->data.scalar.length) {
        return refuse(reader, event->start_mark,
                "a control, invisible or bidirectional character in a value");
    }
    return 0;
}

static int take_scalar(struct reader *reader, const yaml_event_t *event)
{
    if (check_properties(reader, event, event->data.scalar.anchor, event->data.scalar.tag) < 0 ||
            check_scalar(reader, event) < 0) {
        return -1;
    }
    struct laz_node *node = new_node(reader, LAZ_NODE_SCALAR, event->start_mark);
    if (node == NULL) {
        return -1;
    }
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->length = event->data.scalar.length;
    node->text = laz_arena_copy(
            reader->arena, (const char *)event->data.scalar.value, event->data.scalar.length);
    if (node->text == NULL) {
        return -1;
    }
    if (!is_key_expected(reader)) {
        return add(reader, node, event->start_mark);
    }
    if (node->is_plain && strcmp(node->text, "<<") == 0) {
        return refuse(reader, event->start_mark, "merge keys (<<) are not allowed");
    }
    reader->key = node;
    return 0;
}

static int open_collection(struct reader *reader, const yaml_event_t *event,
        enum laz_node_kind kind, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (check_properties(reader, event, anchor, tag) < 0) {
        return -1;
    }
    if (is_key_expected(reader)) {
        return refuse(reader, event->start_mark, "a key must be a plain word");
    }
    if (reader->depth++ == LAZ_POLICY_DEPTH_MAX) {
        return refuse_size(reader, event->start_mark, "nested too deeply", LAZ_POLICY_DEPTH_MAX);
    }
    struct laz_node *node = new_node(reader, kind, event->start_mark);
    if (node == NULL || add(reader, node, event->start_mark) < 0) {
        return -1;
    }
    reader->open = node;
    return 0;
}

static void report_duplicate_keys(struct reader *reader, const struct laz_node *mapping)
{
    for (struct laz_node *node = mapping->first; node != NULL; node = node->next) {
        for (struct laz_node *other = mapping->first; other != node; other = other->next) {
            if (other->hash == node->hash && other->key_length == node->key_length &&
                    memcmp(other->key, node->key, node->key_length) == 0) {
                laz_report_key(reader->report, LAZ_E_POLICY_SYNTAX, node,
                        "duplicate key; the first is at line %" PRIu32, other->key_pos.line);
                break;
            }
        }
    }
}

static void close_collection(struct reader *reader)
{
    if (reader->open->kind == LAZ_NODE_MAPPING) {
        report_duplicate_keys(reader, reader->open);
    }
    reader->open = reader->open->parent;
    reader->depth--;
}

static int start_document(struct reader *reader, const yaml_event_t *event)
{
    if (event->data.document_start.version_directive != NULL ||
            event->data.document_start.tag_directives.start !=
                    event->data.document_start.tag_directives.end) {
        return refuse(reader, event->start_mark, "directives (%) are not allowed");
    }
    if (reader->n_documents++ > 0) {
        return refuse(reader, event->start_mark, "more than one document in the file");
    }
    return 0;
}

static int take_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return start_document(reader, event);
    case YAML_ALIAS_EVENT:
        return refuse(reader, event->start_mark, "aliases (*) are not allowed");
    case YAML_SCALAR_EVENT:
        return take_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(reader, event, LAZ_NODE_SEQUENCE, event->data.sequence_start.anchor,
                event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_collection(reader, event, LAZ_NODE_MAPPING, event->data.mapping_start.anchor,
                event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_collection(reader);
        return 0;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return 0;
    }
    return 0;
}

static int read_events(struct reader *reader)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->yaml, &event)) {
            return refuse_parser_error(reader);
        }
        yaml_event_type_t type = event.type;
        int result = take_event(reader, &event);
        yaml_event_delete(&event);
        if (result < 0 || type == YAML_STREAM_END_EVENT) {
            return result;
        }
    }
}

/* Before libyaml sees a byte: its own messages about encoding carry no usable position. */
static int check_characters(struct reader *reader)
{
    size_t bad = laz_characters_find_bad(reader->text, reader->length, true);
    if (bad == reader->length) {
        return 0;
    }
    struct reader before = *reader;
    before.length = bad;
    struct laz_pos pos = end_position(&before);
    if (bad > 0 && reader->text[bad - 1] == '\n') {
        pos.line++;
        pos.col = 1;
    }
    laz_report_at(reader->report, LAZ_E_POLICY_SYNTAX, pos, "%s",
            laz_characters_explain(reader->text + bad, reader->length - bad));
    return -1;
}

int laz_yaml_parse(const char *text, size_t length, uint16_t file, struct laz_arena *arena,
        struct laz_report *report, struct laz_node **ret_root)
{
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3; /* a byte order mark: editors add it, and it means nothing here */
        length -= 3;
    }
    struct reader reader = {
            .text = text, .length = length, .file = file, .arena = arena, .report = report};
    if (check_characters(&reader) < 0) {
        return -1;
    }
    reader.end = end_position(&reader);
    if (!yaml_parser_initialize(&reader.yaml)) {
        arena->failed = true;
        return -1;
    }
    yaml_parser_set_encoding(&reader.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.yaml, (const unsigned char *)text, length);
    int result = read_events(&reader);
    yaml_parser_delete(&reader.yaml);
    if (result == 0 && reader.root == NULL) {
        struct laz_pos start = {.file = file, .line = 1, .col = 1};
        laz_report_at(report, LAZ_E_POLICY_SYNTAX, start, "the file is empty");
        return -1;
    }
    if (result == 0) {
        *ret_root = reader.root;
    }
    return result;
}

struct laz_node *laz_node_skip(const struct laz_node *root, struct laz_node *node)
{
    while (node != root && node->next == NULL) {
        node = node->parent;
    }
    return node == root ? NULL : node->next;
}

struct laz_node *laz_node_next(const struct laz_node *root, struct laz_node *node)
{
    return node->first != NULL ? node->first : laz_node_skip(root, node);
}

void laz_node_path(const struct laz_node *node, struct laz_buf *ret)
{
    const struct laz_node *above[LAZ_POLICY_DEPTH_MAX + 2];
    size_t n = 0;
    for (; node->parent != NULL && n < LAZ_POLICY_DEPTH_MAX + 2; node = node->parent) {
        above[n++] = node;
    }
    for (size_t i = n; i-- > 0;) {
        if (above[i]->key == NULL) {
            laz_buf_printf(ret, "[%" PRIu32 "]", above[i]->index);
        } else {
            struct laz_quoted name;
            const char *quoted = laz_quote(&name, above[i]->key, above[i]->key_length);
            laz_buf_str(ret, i + 1 == n ? "" : ".");
            laz_buf_put(ret, quoted + 1, strlen(quoted) - 2); /* without the quotes */
        }
    }
}
