/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk over one file, in source order and without recursion. Knows shapes and types, not
 * meanings.
 */
#include "policy/check.h"

#include <inttypes.h>
#include <string.h>

#include "policy/scalar.h"

/* Each unknown word is compared with every known one: a file of nothing but errors must not take
 * seconds. */
#define ERRORS_MAX 1000

#define KEYS_NAMED 9  /* a mapping of more keys is looked up in the reference */
#define KEYS_FEW   3  /* all of them say more than the nearest one */
#define VALUE_MAX  40 /* bytes of a value that a hint repeats */

static size_t count_keys(enum laz_field_id mapping)
{
    size_t n = 0;
    for (enum laz_field_id id = laz_field_root_of(mapping) + 1; id < laz_field_end_of(mapping);
            id++) {
        bool is_key = laz_field_is_key_of(id, mapping);
        n += is_key && laz_field_at(id)->type != LAZ_TYPE_LATER ? 1 : 0;
    }
    return n;
}

/* " (its keys: pass, set)", or "" if there are too many. */
static const char *name_keys(struct laz_quoted *ret, enum laz_field_id mapping)
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret->text, sizeof(ret->text));
    if (count_keys(mapping) > KEYS_NAMED) {
        return ret->text;
    }
    for (enum laz_field_id id = laz_field_root_of(mapping) + 1; id < laz_field_end_of(mapping);
            id++) {
        const struct laz_field *field = laz_field_at(id);
        if (laz_field_is_key_of(id, mapping) && field->type != LAZ_TYPE_LATER) {
            laz_buf_printf(&buf, "%s%s", buf.len == 0 ? " (its keys: " : ", ", field->key);
        }
    }
    laz_buf_str(&buf, buf.len > 0 ? ")" : "");
    return ret->text;
}

/* How a value of it is written. */
static const char *shown(const struct laz_field *field)
{
    return field->example != NULL ? field->example : field->preset != NULL ? field->preset : "...";
}

/* The key alone where it is of the same mapping. */
static void name_place(enum laz_field_id id, enum laz_field_id mapping, char *ret, size_t size)
{
    struct laz_buf buf;
    laz_field_path(id, ret, size);
    if (laz_field_is_key_of(id, mapping)) {
        laz_buf_init_fixed(&buf, ret, size);
        laz_buf_str(&buf, laz_field_at(id)->key);
    }
}

static void unknown_key(struct laz_report *report, struct laz_node *node, enum laz_field_id parent)
{
    struct laz_quoted key;
    struct laz_quoted mean;
    char path[LAZ_NAME_LENGTH_MAX * 4];
    const char *quoted = laz_quote(&key, node->key, node->key_length);
    const char *suggestion = count_keys(parent) <= KEYS_FEW
            ? NULL
            : laz_field_suggest(parent, node->key, node->key_length);
    enum laz_field_id elsewhere = laz_field_find_elsewhere(parent, node->key, node->key_length);
    enum laz_field_id called = laz_field_called(parent, node->key, node->key_length);
    /* The message is about the mapping: its path, the key's position. */
    struct laz_buf above;
    char text[LAZ_DIAGNOSTIC_MESSAGE_MAX];
    laz_buf_init_fixed(&above, text, sizeof(text));
    laz_node_path(node->parent, &above);
    laz_buf_str(&above, above.len > 0 ? ": " : "");
    if (called != LAZ_FIELD_ROOT) {
        const struct laz_field *field = laz_field_at(called);
        name_place(called, parent, path, sizeof(path));
        laz_report_at(report, LAZ_E_POLICY_INVALID, node->key_pos,
                "%sunknown key %s (here that is \"%s\", such as %s: %s)", text, quoted, path,
                field->key, shown(field));
    } else if (suggestion == NULL && elsewhere != LAZ_FIELD_ROOT) {
        laz_field_path(elsewhere, path, sizeof(path));
        laz_report_at(report, LAZ_E_POLICY_INVALID, node->key_pos,
                "%sunknown key %s (it exists as \"%s\"%s)", text, quoted, path,
                strchr(path, '.') != NULL                             ? ""
                        : laz_field_root_of(parent) == LAZ_FIELD_ROOT ? " of the whole policy"
                                                                      : " of the whole file");
    } else {
        laz_report_at(report, LAZ_E_POLICY_INVALID, node->key_pos, "%sunknown key %s%s", text,
                quoted,
                suggestion != NULL ? laz_quote_suggestion(&mean, suggestion)
                                   : name_keys(&mean, parent));
    }
    laz_node_mark_bad(node);
}

static bool is_dictionary(const struct laz_node *node)
{
    return laz_field_at(node->field)->shape == LAZ_SHAPE_DICT && !node->is_item;
}

/* Which row of the table is this node about? ROOT if none: reported. */
static enum laz_field_id find_field(struct laz_report *report, struct laz_node *node)
{
    struct laz_node *parent = node->parent;
    node->is_below_item = parent->is_item || parent->is_below_item;
    if (parent->kind == LAZ_NODE_SEQUENCE) {
        node->is_item = true;
        return parent->field;
    }
    if (!is_dictionary(parent)) {
        enum laz_field_id id = laz_field_find(parent->field, node->key, node->key_length);
        if (id == LAZ_FIELD_ROOT) {
            unknown_key(report, node, parent->field);
        }
        return id;
    }
    node->is_item = true;
    struct laz_scalar key = {.text = node->key, .length = node->key_length};
    struct laz_err err = {0};
    if (laz_scalar_parse_key(laz_field_at(parent->field), &key, &node->key_number, &err) < 0) {
        laz_report_key(report, err.kind, node, "%s", err.message);
        return LAZ_FIELD_ROOT;
    }
    return parent->field;
}

static const char *kind_name(const struct laz_node *node)
{
    switch (node->kind) {
    case LAZ_NODE_SEQUENCE:
        return "a list";
    case LAZ_NODE_MAPPING:
        return "a mapping";
    case LAZ_NODE_SCALAR:
        break;
    }
    return node->length == 0 && node->is_plain ? "nothing" : "a single value";
}

/* A list must not say the same thing twice: one of the two is a mistake. */
static bool is_duplicate(struct laz_report *report, struct laz_node *node)
{
    bool by_number = laz_scalar_is_number(laz_field_at(node->field)->type);
    for (struct laz_node *other = node->parent->first; other != node; other = other->next) {
        bool is_same = by_number ? other->number == node->number
                                 : other->length == node->length &&
                        memcmp(other->text, node->text, node->length) == 0;
        if (is_same && !other->is_bad) {
            laz_report_node(report, LAZ_E_POLICY_INVALID, node,
                    "duplicate; the first is at line %" PRIu32, other->pos.line);
            return true;
        }
    }
    return false;
}

static void check_scalar(struct laz_report *report, struct laz_node *node)
{
    if (node->kind != LAZ_NODE_SCALAR) {
        const struct laz_field *wanted = laz_field_at(node->field);
        bool is_shown = wanted->shape == LAZ_SHAPE_ONE &&
                (wanted->example != NULL || wanted->preset != NULL);
        laz_report_node(report, LAZ_E_POLICY_INVALID, node, "must be a single value%s%s, not %s",
                is_shown ? ", such as " : "", is_shown ? shown(wanted) : "", kind_name(node));
        return;
    }
    const struct laz_scalar scalar = {.text = node->text,
            .length = node->length,
            .is_plain = node->is_plain,
            .key_number = node->key_number};
    struct laz_err err = {0};
    struct laz_field field = *laz_field_at(node->field);
    field.type = field.type == LAZ_TYPE_MAP ? field.single : field.type;
    if (laz_scalar_parse(&field, &scalar, &node->number, &err) < 0) {
        laz_report_node(report, err.kind, node, "%s", err.message);
        return;
    }
    if (node->parent->kind == LAZ_NODE_SEQUENCE && field.type != LAZ_TYPE_COMMAND) {
        (void)is_duplicate(report, node); /* reported, and marked */
    }
}

/* "required, preferred, disabled or ", where a word may stand for the mapping. */
static const char *name_words(struct laz_quoted *ret, enum laz_field_id id)
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret->text, sizeof(ret->text));
    ret->text[0] = '\0';
    for (const struct laz_word *word = laz_field_at(id)->words; word != NULL && word->word != NULL;
            word++) {
        laz_buf_printf(&buf, "%s%s", word->word, word[1].word == NULL ? " or " : ", ");
    }
    if (laz_field_at(id)->single != LAZ_TYPE_MAP) {
        laz_buf_str(&buf, "a single value or ");
    }
    return buf.overflow ? "" : ret->text;
}

static bool check_mapping(struct laz_report *report, struct laz_node *node)
{
    if (node->kind != LAZ_NODE_MAPPING) {
        struct laz_quoted words;
        struct laz_quoted keys;
        laz_report_node(report, LAZ_E_POLICY_INVALID, node, "must be %sa mapping, not %s%s",
                name_words(&words, node->field), kind_name(node),
                is_dictionary(node) ? "" : name_keys(&keys, node->field));
        return false;
    }
    if (is_dictionary(node)) {
        return true;
    }
    enum laz_field_id mapping = node->field;
    for (enum laz_field_id id = laz_field_root_of(mapping) + 1; id < laz_field_end_of(mapping);
            id++) {
        const struct laz_field *field = laz_field_at(id);
        if (!laz_field_is_required_of(id, mapping)) {
            continue;
        }
        bool is_there = false;
        for (const struct laz_node *child = node->first; child != NULL; child = child->next) {
            is_there = is_there || strcmp(child->key, field->key) == 0;
        }
        if (!is_there) {
            laz_report_node(report, LAZ_E_POLICY_INVALID, node, "missing key \"%s\"", field->key);
        }
    }
    return true;
}

/* "/bin/app, --ping": no shell takes a command apart, so the hint does. */
static void put_command(struct laz_buf *buf, const struct laz_node *node, const char *quote)
{
    const char *word = node->text + strspn(node->text, " ");
    for (const char *before = ""; *word != '\0'; before = ", ") {
        int length = (int)strcspn(word, " ");
        laz_buf_printf(buf, "%s%s%.*s%s", before, quote, length, word, quote);
        word += length;
        word += strspn(word, " ");
    }
}

/* " (write [/usr])" */
static const char *hint_list(struct laz_quoted *ret, const struct laz_node *node)
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret->text, sizeof(ret->text));
    if (node->kind != LAZ_NODE_SCALAR) {
        return ret->text;
    }
    struct laz_scalar scalar = {
            .text = node->text, .length = node->length, .is_plain = node->is_plain};
    const char *quote = node->is_plain ? "" : "\"";
    bool is_command = laz_field_at(node->field)->type == LAZ_TYPE_COMMAND;
    uint64_t number = 0;
    struct laz_err ignored = {0};
    if (node->length == 0) {
        laz_buf_str(&buf, " (write [] for none)");
    } else if (node->length > VALUE_MAX ||
            laz_scalar_parse(laz_field_at(node->field), &scalar, &number, &ignored) < 0) {
        laz_buf_str(&buf, " (write [value])"); /* not this one */
    } else if (is_command && strpbrk(node->text, "\"'\\") != NULL) {
        laz_buf_str(&buf, " (write each word by itself, such as [/bin/app, --ping])");
    } else if (is_command) {
        laz_buf_str(&buf, " (write [");
        put_command(&buf, node, quote);
        laz_buf_str(&buf, "])");
    } else {
        laz_buf_printf(&buf, " (write [%s%s%s])", quote, node->text, quote);
    }
    return ret->text;
}

/* A value that is not (yet) an element of a list. True if what is below it is to be looked at. */
static bool check_shape(struct laz_report *report, struct laz_node *node)
{
    const struct laz_field *field = laz_field_at(node->field);
    if (node->kind == LAZ_NODE_SEQUENCE &&
            (field->shape == LAZ_SHAPE_LIST || field->shape == LAZ_SHAPE_ONE_OR_LIST)) {
        return true;
    }
    bool takes_word = field->type != LAZ_TYPE_WORD && node->kind == LAZ_NODE_SCALAR;
    const struct laz_word *word =
            takes_word ? laz_word_find(field->words, node->text, node->length) : NULL;
    if (word != NULL) {
        node->is_word = true;
        node->number = word->value;
        return false;
    }
    if (field->shape == LAZ_SHAPE_LIST) {
        struct laz_quoted hint;
        struct laz_quoted list;
        bool has_word = field->type != LAZ_TYPE_WORD && field->words != NULL;
        laz_report_node(report, LAZ_E_POLICY_INVALID, node, "must be a list%s%s, not %s%s",
                has_word ? " or " : "",
                has_word ? laz_quote(&hint, field->words[0].word, strlen(field->words[0].word))
                         : "",
                kind_name(node), hint_list(&list, node));
        return false;
    }
    bool is_single = field->single != LAZ_TYPE_MAP && node->kind == LAZ_NODE_SCALAR;
    if (!is_single && (field->type == LAZ_TYPE_MAP || field->shape == LAZ_SHAPE_DICT)) {
        return check_mapping(report, node);
    }
    check_scalar(report, node);
    return false;
}

static bool check_node(
        struct laz_document *document, struct laz_report *report, struct laz_node *node)
{
    if (node->is_bad) {
        return false; /* a duplicate key */
    }
    enum laz_field_id id = find_field(report, node);
    if (id == LAZ_FIELD_ROOT) {
        return false;
    }
    node->field = (uint16_t)id;
    const struct laz_field *field = laz_field_at(id);
    if (field->type == LAZ_TYPE_LATER) {
        laz_report_key(report, LAZ_E_POLICY_UNSUPPORTED, node, "not supported by this version");
        return false;
    }
    if (node->is_item) {
        if (field->type == LAZ_TYPE_MAP) {
            return check_mapping(report, node);
        }
        check_scalar(report, node);
        return false;
    }
    bool descend = check_shape(report, node);
    if (!node->is_below_item && !node->is_bad) {
        document->at[id] = node;
        if (node->is_word && field->type == LAZ_TYPE_MAP) {
            document->at[id + 1] = node;
        }
    }
    return descend;
}

void laz_check(struct laz_document *document, enum laz_field_id language, struct laz_report *report)
{
    struct laz_node *root = document->root;
    root->field = (uint16_t)language;
    if (!check_mapping(report, root)) {
        return;
    }
    size_t before = report->diagnostics->n_errors;
    struct laz_node *node = laz_node_next(root, root);
    while (node != NULL && report->diagnostics->n_errors < before + ERRORS_MAX) {
        bool descend = check_node(document, report, node);
        node = descend ? laz_node_next(root, node) : laz_node_skip(root, node);
    }
}

struct laz_node *laz_check_child(const struct laz_node *mapping, enum laz_field_id field)
{
    struct laz_node *child = mapping->first;
    while (child != NULL && child->field != field) {
        child = child->next;
    }
    return child == NULL || child->is_bad ? NULL : child;
}

struct laz_node *laz_check_item(struct laz_node *list, struct laz_node *previous)
{
    if (list == NULL || list->is_word) {
        return NULL;
    }
    bool is_single = list->kind == LAZ_NODE_SCALAR ||
            (list->kind == LAZ_NODE_MAPPING && !is_dictionary(list));
    if (is_single) {
        return previous == NULL && !list->is_bad ? list : NULL;
    }
    struct laz_node *item = previous == NULL ? list->first : previous->next;
    while (item != NULL && item->is_bad) {
        item = item->next;
    }
    return item;
}
