/* SPDX-License-Identifier: Apache-2.0
 *
 * The field table as JSON Schema (draft 2020-12), for editors: completion, descriptions, types.
 * Looser than the loader where a schema cannot say it (duplicates, sums, names of arguments); the
 * loader decides.
 */
#include <string.h>

#include "core/json.h"
#include "policy/fields.h"
#include "policy/runtime.h"

#define SCHEMA_MAX   262144 /* bytes; four times what it has today */
#define ERRNO_LAST   133
#define MAPS_OPEN    8 /* nesting of mappings in the table; three today */
#define INDENT_WIDTH 2
#define POINTER_MAX  160 /* bytes of a JSON pointer into the schema; 58 today */

static bool is_list(const struct laz_field *field)
{
    return field->shape == LAZ_SHAPE_LIST || field->shape == LAZ_SHAPE_ONE_OR_LIST;
}

/* ---- Values ---- */

/* What an editor that reads YAML 1.1 takes the word for. */
static void put_read_as(struct laz_json *json, const char *word)
{
    if (strcmp(word, "off") == 0 || strcmp(word, "no") == 0) {
        laz_json_bool(json, NULL, false);
    } else if (strcmp(word, "on") == 0 || strcmp(word, "yes") == 0) {
        laz_json_bool(json, NULL, true);
    }
}

static void put_words(struct laz_json *json, const struct laz_word *words)
{
    laz_json_array(json, "enum");
    for (; words != NULL && words->word != NULL; words++) {
        if (!words->is_later) {
            laz_json_string(json, NULL, words->word);
            put_read_as(json, words->word);
        }
    }
    laz_json_array_end(json);
}

static void put_pattern(struct laz_json *json, const char *pattern)
{
    laz_json_string(json, "type", "string");
    if (pattern != NULL) {
        laz_json_string(json, "pattern", pattern);
    }
}

static void put_limit(struct laz_json *json)
{
    laz_json_array(json, "anyOf");
    laz_json_object(json, NULL);
    laz_json_string(json, "type", "integer");
    laz_json_u64(json, "minimum", 0);
    laz_json_object_end(json);
    laz_json_object(json, NULL);
    put_pattern(json, "^[0-9]+(KiB|MiB|GiB)$");
    laz_json_object_end(json);
    laz_json_array_end(json);
}

static void put_value_type(struct laz_json *json)
{
    laz_json_array(json, "type");
    laz_json_string(json, NULL, "integer");
    laz_json_string(json, NULL, "string");
    laz_json_array_end(json);
}

/* Of types that are text: the pattern that it must match, as far as one can say it; NULL: any. */
static const char *pattern_of(enum laz_field_type type)
{
    switch ((int)type) {
    case LAZ_TYPE_DURATION:
        return "^[0-9]+(ms|s|m|h)$";
    case LAZ_TYPE_PERCENT:
        return "^[0-9]{1,2}%$";
    case LAZ_TYPE_OCTAL:
        return "^0[0-7]{1,5}$";
    case LAZ_TYPE_NAME:
        return "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";
    case LAZ_TYPE_PATH:
        return "^/";
    case LAZ_TYPE_ENV_NAME:
        return "^[A-Za-z_][A-Za-z0-9_]*$";
    case LAZ_TYPE_SINK_NAME:
        return "^[a-z0-9-]{1,32}$";
    case LAZ_TYPE_ADDRESS:
        return ":[0-9]{1,5}$";
    case LAZ_TYPE_LOG_GROUP:
        return "^[A-Za-z0-9._/#-]{1,512}$";
    case LAZ_TYPE_LOG_STREAM:
        return "^[^:* ]{1,512}$";
    case LAZ_TYPE_URL:
    case LAZ_TYPE_CHECK_URL:
        return "^https?://";
    case LAZ_TYPE_PORT:
        return "^[1-9][0-9]{0,4}/(tcp|udp)$";
    case LAZ_TYPE_PROCESS:
        return "^.{1,15}$";
    case LAZ_TYPE_TEXT:
        return "^.{1,256}$";
    case LAZ_TYPE_VALUE_FROM:
        return "^(/|arn:aws[a-z-]*:(secretsmanager|ssm):)";
    case LAZ_TYPE_KMS_KEY:
        return "^arn:aws[a-z-]*:kms:";
    case LAZ_TYPE_BELOW:
        return "^[^/]";
    case LAZ_TYPE_PARAMETER_PATH:
        return "^/[A-Za-z0-9._/-]*$";
    case LAZ_TYPE_VAULT_SECRET:
        return "^[A-Za-z0-9._/-]+/data/[A-Za-z0-9._/-]+$";
    case LAZ_TYPE_VAULT_NAME:
        return "^[A-Za-z0-9._/-]{1,256}$";
    case LAZ_TYPE_PCA:
        return "^arn:aws[a-z-]*:acm-pca:";
    case LAZ_TYPE_PCA_TEMPLATE:
        return "/V[0-9]+$";
    case LAZ_TYPE_VALIDITY:
        return "^[0-9]+(m|h|d)$";
    case LAZ_TYPE_SAN_DNS:
        return "^([*][.])?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$";
    case LAZ_TYPE_SAN_IP:
        return "^[0-9A-Fa-f.:]+$";
    case LAZ_TYPE_SAN_URI:
        return "^[a-z][a-z0-9+.-]*:";
    case LAZ_TYPE_PEER:
        return "^(dns:.+|[A-Za-z][A-Za-z0-9+.-]*://.+)$";
    case LAZ_TYPE_SOCKET:
        return "^(unix:/|.*:[0-9]{1,5}$)";
    case LAZ_TYPE_SERVICE:
        return "^[A-Za-z0-9._/-]{1,128}$";
    default:
        return NULL;
    }
}

/* Of types that are names of a table: where the schema lists them; NULL: it is no such type. */
static const char *names_of(enum laz_field_type type)
{
    switch ((int)type) {
    case LAZ_TYPE_SYSCALL:
        return "#/$defs/syscall";
    case LAZ_TYPE_SYSCALL_GROUP:
        return "#/$defs/group";
    case LAZ_TYPE_CAPABILITY:
        return "#/$defs/capability";
    case LAZ_TYPE_ERRNO:
        return "#/$defs/errno";
    case LAZ_TYPE_SIGNAL:
        return "#/$defs/signal";
    case LAZ_TYPE_FAMILY:
        return "#/$defs/family";
    default:
        return NULL;
    }
}

/* The members of the schema of one value of a type; `field` gives range and words. */
static void put_type(struct laz_json *json, enum laz_field_type type, const struct laz_field *field)
{
    const char *names = names_of(type);
    if (names != NULL) {
        laz_json_string(json, "$ref", names);
        return;
    }
    switch ((int)type) {
    case LAZ_TYPE_BOOL:
        laz_json_string(json, "type", "boolean");
        return;
    case LAZ_TYPE_INT:
        laz_json_string(json, "type", "integer");
        laz_json_i64(json, "minimum", field->min);
        laz_json_u64(json, "maximum", field->max);
        return;
    case LAZ_TYPE_WORD:
        put_words(json, field->words);
        return;
    case LAZ_TYPE_STATUS:
    case LAZ_TYPE_VALUE:
    case LAZ_TYPE_VERSION:
        put_value_type(json);
        return;
    case LAZ_TYPE_LIMIT:
    case LAZ_TYPE_SIZE:
        put_limit(json);
        return;
    case LAZ_TYPE_MAP:
    case LAZ_TYPE_LATER:
        return;
    default:
        put_pattern(json, pattern_of(type));
        return;
    }
}

static void put_array(struct laz_json *json, const struct laz_field *field)
{
    laz_json_string(json, "type", "array");
    laz_json_bool(json, "uniqueItems", field->type != LAZ_TYPE_COMMAND);
    laz_json_object(json, "items");
    put_type(json, field->type, field);
    laz_json_object_end(json);
}

static void put_dictionary(struct laz_json *json, const struct laz_field *field)
{
    laz_json_string(json, "type", "object");
    laz_json_object(json, "propertyNames");
    if (field->keys == LAZ_TYPE_LIMIT) {
        laz_json_array(json, "enum");
        for (int i = 0; i < LAZ_LIMIT_COUNT; i++) {
            laz_json_string(json, NULL, laz_rlimit_name(i));
        }
        laz_json_array_end(json);
    } else {
        put_type(json, field->keys, field);
    }
    laz_json_object_end(json);
    laz_json_object(json, "additionalProperties");
    put_type(json, field->type, field);
    laz_json_object_end(json);
}

/* One of two forms: `first` is a word or a single value, the other an array. */
static void put_alternatives(struct laz_json *json, const struct laz_field *field)
{
    laz_json_array(json, "anyOf");
    laz_json_object(json, NULL);
    if (field->words != NULL) {
        put_words(json, field->words);
    } else {
        put_type(json, field->type, field);
    }
    laz_json_object_end(json);
    laz_json_object(json, NULL);
    put_array(json, field);
    laz_json_object_end(json);
    laz_json_array_end(json);
}

static void put_default(struct laz_json *json, const struct laz_field *field)
{
    if (field->preset == NULL || is_list(field) || field->type == LAZ_TYPE_MAP) {
        return;
    }
    if (field->type == LAZ_TYPE_BOOL) {
        laz_json_bool(json, "default", strcmp(field->preset, "true") == 0);
    } else if (field->type == LAZ_TYPE_INT) {
        uint64_t number = 0;
        for (const char *digit = field->preset; *digit != '\0'; digit++) {
            number = number * 10 + (uint64_t)(*digit - '0');
        }
        laz_json_u64(json, "default", number);
    } else {
        bool is_quoted = field->preset[0] == '"';
        laz_json_bytes(json, "default", field->preset + is_quoted,
                strlen(field->preset) - (is_quoted ? 2 : 0));
    }
}

static void put_leaf(struct laz_json *json, const struct laz_field *field)
{
    laz_json_object(json, field->key);
    laz_json_string(json, "description", field->doc);
    put_default(json, field);
    bool has_word = field->words != NULL && field->type != LAZ_TYPE_WORD;
    if (field->shape == LAZ_SHAPE_DICT) {
        put_dictionary(json, field);
    } else if (field->shape == LAZ_SHAPE_ONE_OR_LIST || (is_list(field) && has_word)) {
        put_alternatives(json, field);
    } else if (field->shape == LAZ_SHAPE_LIST) {
        put_array(json, field);
    } else {
        put_type(json, field->type, field);
    }
    laz_json_object_end(json);
}

/* ---- Mappings ---- */

static void put_required(struct laz_json *json, enum laz_field_id map)
{
    bool is_first = true;
    for (enum laz_field_id id = laz_field_root_of(map) + 1; id < laz_field_end_of(map); id++) {
        if (laz_field_is_required_of(id, map)) {
            if (is_first) {
                laz_json_array(json, "required");
            }
            is_first = false;
            laz_json_string(json, NULL, laz_field_at(id)->key);
        }
    }
    if (!is_first) {
        laz_json_array_end(json);
    }
}

/* What the schema says of a row elsewhere: a reference to it, by its place in the file. */
static void put_reference(struct laz_json *json, const char *name, enum laz_field_id id)
{
    char text[POINTER_MAX];
    struct laz_buf pointer;
    laz_buf_init_fixed(&pointer, text, sizeof(text));
    laz_buf_char(&pointer, '#');
    for (unsigned depth = laz_field_depth(id); depth > 0; depth--) {
        enum laz_field_id above = id;
        for (unsigned i = 1; i < depth; i++) {
            above = laz_field_at(above)->parent;
        }
        bool is_own = above == id;
        laz_buf_printf(&pointer, "/properties/%s%s", laz_field_at(above)->key,
                !is_own && laz_field_at(above)->shape == LAZ_SHAPE_LIST ? "/items" : "");
    }
    laz_json_object(json, name);
    laz_json_string(json, "$ref", text);
    laz_json_object_end(json);
}

/* Of the list that it is alike. */
static void put_alike(struct laz_json *json, enum laz_field_id map)
{
    for (enum laz_field_id id = laz_field_root_of(map) + 1; id < laz_field_end_of(map); id++) {
        if (laz_field_at(id)->parent != map && laz_field_is_key_of(id, map)) {
            put_reference(json, laz_field_at(id)->key, id);
        }
    }
}

/* A mapping that a word or another single value may stand for. */
static bool has_alternative(const struct laz_field *field)
{
    return field->words != NULL || field->single != LAZ_TYPE_MAP;
}

/* Up to and into "properties"; close_map is its mirror. */
static void open_map(struct laz_json *json, enum laz_field_id id)
{
    const struct laz_field *field = laz_field_at(id);
    if (id != laz_field_root_of(id)) {
        laz_json_object(json, field->key);
        laz_json_string(json, "description", field->doc);
    }
    if (has_alternative(field)) {
        laz_json_array(json, "anyOf");
        laz_json_object(json, NULL);
        if (field->words != NULL) {
            put_words(json, field->words);
        } else {
            put_type(json, field->single, field);
        }
        laz_json_object_end(json);
        laz_json_object(json, NULL);
    }
    if (field->shape == LAZ_SHAPE_LIST) {
        laz_json_string(json, "type", "array");
        laz_json_object(json, "items");
    }
    if (field->shape == LAZ_SHAPE_ONE_OR_LIST) {
        laz_json_array(json, "type");
        laz_json_string(json, NULL, "object");
        laz_json_string(json, NULL, "array");
        laz_json_array_end(json);
        put_reference(
                json, "items", id); /* "items" is about lists, the members below about mappings */
    } else {
        laz_json_string(json, "type", "object");
    }
    laz_json_bool(json, "additionalProperties", false);
    put_required(json, id);
    laz_json_object(json, "properties");
    put_alike(json, id);
}

static void close_map(struct laz_json *json, enum laz_field_id id)
{
    const struct laz_field *field = laz_field_at(id);
    laz_json_object_end(json);
    if (field->shape == LAZ_SHAPE_LIST) {
        laz_json_object_end(json);
    }
    if (has_alternative(field)) {
        laz_json_object_end(json);
        laz_json_array_end(json);
    }
    if (id != laz_field_root_of(id)) {
        laz_json_object_end(json);
    }
}

static void put_fields(struct laz_json *json, enum laz_field_id root)
{
    enum laz_field_id open[MAPS_OPEN] = {root};
    size_t n = 1;
    open_map(json, root);
    for (enum laz_field_id id = root + 1; id < laz_field_end_of(root); id++) {
        const struct laz_field *field = laz_field_at(id);
        if (field->type == LAZ_TYPE_LATER) {
            continue;
        }
        while (open[n - 1] != field->parent) {
            close_map(json, open[--n]);
        }
        if (field->type == LAZ_TYPE_MAP && n < MAPS_OPEN) {
            open_map(json, id);
            open[n++] = id;
        } else {
            put_leaf(json, field);
        }
    }
    while (n > 0) {
        close_map(json, open[--n]);
    }
}

/* ---- Names ---- */

static void begin_names(struct laz_json *json, const char *name)
{
    laz_json_object(json, name);
    laz_json_array(json, "enum");
}

static void end_names(struct laz_json *json)
{
    laz_json_array_end(json);
    laz_json_object_end(json);
}

/* "CAP_KILL" and "KILL" are both understood. */
static void put_both(struct laz_json *json, const char *name, const char *prefix)
{
    laz_json_string(json, NULL, name);
    laz_json_string(json, NULL, name + strlen(prefix));
}

static void put_definitions(struct laz_json *json)
{
    begin_names(json, "syscall");
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        laz_json_string(json, NULL, laz_syscall_at(i)->name);
    }
    end_names(json);
    begin_names(json, "group");
    for (size_t i = 0; i < laz_group_count(); i++) {
        if (laz_group_at(i)->kind == LAZ_GROUP_GRANT) {
            laz_json_string(json, NULL, laz_group_at(i)->name);
        }
    }
    end_names(json);
    begin_names(json, "capability");
    for (int i = 0; laz_capability_name(i) != NULL; i++) {
        put_both(json, laz_capability_name(i), "CAP_");
    }
    end_names(json);
    begin_names(json, "errno");
    for (int i = 1; i <= ERRNO_LAST; i++) {
        if (laz_errno_name(i) != NULL) {
            laz_json_string(json, NULL, laz_errno_name(i));
        }
    }
    for (size_t i = 0; laz_errno_alias_at(i) != NULL; i++) {
        laz_json_string(json, NULL, laz_errno_alias_at(i));
    }
    end_names(json);
    begin_names(json, "signal");
    for (int i = 1; i <= LAZ_SIGNAL_MAX; i++) {
        if (laz_signal_name(i) != NULL) {
            put_both(json, laz_signal_name(i), "SIG");
        }
    }
    end_names(json);
    begin_names(json, "family");
    for (size_t i = 0; i < laz_socket_family_count(); i++) {
        laz_json_string(json, NULL, laz_socket_family_at(i)->name);
    }
    end_names(json);
}

/* ---- Lines ---- */

static void put_line_end(struct laz_buf *ret, unsigned depth)
{
    laz_buf_char(ret, '\n');
    for (unsigned i = 0; i < depth * INDENT_WIDTH; i++) {
        laz_buf_char(ret, ' ');
    }
}

/* One member a line, so that a change of the table is a small change of the committed file.
 * Brackets of lists do not begin lines: lists of names stay together. */
static void put_indented(const char *text, struct laz_buf *ret)
{
    unsigned depth = 0;
    bool is_string = false;
    char within[MAPS_OPEN * 8] = {0}; /* the bracket at each depth */
    for (; *text != '\0'; text++) {
        if (is_string && *text == '\\') {
            laz_buf_char(ret, *text++); /* and what it escapes */
        } else if (*text == '"') {
            is_string = !is_string;
        }
        bool opens = !is_string && (*text == '{' || *text == '[');
        bool closes = !is_string && (*text == '}' || *text == ']');
        if (closes && within[depth] == '{') {
            put_line_end(ret, depth - 1);
        }
        depth -= closes ? 1 : 0;
        laz_buf_char(ret, *text);
        if (opens && depth + 1 < sizeof(within)) {
            within[++depth] = *text;
        }
        if ((opens || (!is_string && *text == ',')) && within[depth] == '{') {
            put_line_end(ret, depth);
        } else if (!is_string && (*text == ':' || *text == ',')) {
            laz_buf_char(ret, ' ');
        }
    }
    laz_buf_char(ret, '\n');
}

/* Only the policy language has names of tables. */
static void put_schema(
        struct laz_buf *ret, enum laz_field_id root, const char *id, const char *title)
{
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, SCHEMA_MAX);
    struct laz_json json;
    laz_json_init(&json, &buf);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "$schema", "https://json-schema.org/draft/2020-12/schema");
    laz_json_string(&json, "$id", id);
    laz_json_string(&json, "title", title);
    put_fields(&json, root);
    if (root == LAZ_FIELD_ROOT) {
        laz_json_object(&json, "$defs");
        put_definitions(&json);
        laz_json_object_end(&json);
    }
    laz_json_object_end(&json);
    if (buf.overflow) {
        ret->overflow = true;
        return;
    }
    put_indented(buf.data, ret);
}

void laz_policy_schema(struct laz_buf *ret)
{
    put_schema(ret, LAZ_FIELD_ROOT, "policy-1.schema.json", "Lazaret policy, version 1");
}

void laz_runtime_schema(struct laz_buf *ret)
{
    put_schema(ret, LAZ_FIELD_RUNTIME, "runtime-1.schema.json", "Lazaret host, version 1");
}
