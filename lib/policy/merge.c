/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the sections over the documents in order, and stores single values where the field table
 * says.
 */
#include "policy/merge.h"

#include <string.h>

#include "policy/scalar.h"

void laz_strings_append(struct laz_arena *arena, struct laz_string_list *list, const char *text,
        size_t length, struct laz_pos pos)
{
    char *copy = laz_arena_copy(arena, text, length);
    size_t n = list->n;
    char **item = laz_arena_append(arena, &list->items, &list->n, sizeof(*item));
    struct laz_pos *item_pos = laz_arena_append(arena, &list->pos, &n, sizeof(*item_pos));
    if (copy == NULL || item == NULL || item_pos == NULL) {
        list->n = 0; /* the load fails for want of memory */
        return;
    }
    *item = copy;
    *item_pos = pos;
}

/* A value that stands alone: not a list, a dictionary or a mapping. */
static bool is_single(const struct laz_field *field)
{
    return field->shape == LAZ_SHAPE_ONE && field->type != LAZ_TYPE_MAP &&
            field->type != LAZ_TYPE_LATER;
}

/* An empty list reads as "none", and adds nothing. */
static void warn_of_empty(struct laz_merge *merge, enum laz_field_id id, struct laz_node *node)
{
    static const struct {
        enum laz_field_id field;
        const char *remedy;
    } rows[] = {
            {LAZ_FIELD_FILESYSTEM_READ, "name its paths under \"filesystem.remove\""},
            {LAZ_FIELD_FILESYSTEM_READ_EXEC, "name its paths under \"filesystem.remove\""},
            {LAZ_FIELD_FILESYSTEM_WRITE, "name its paths under \"filesystem.remove\""},
            {LAZ_FIELD_FILESYSTEM_WRITE_EXEC, "name its paths under \"filesystem.remove\""},
            {LAZ_FIELD_FILESYSTEM_DEVICES, "name its paths under \"filesystem.remove\""},
            {LAZ_FIELD_NETWORK_FAMILIES, "name its families under \"network.remove\""},
            {LAZ_FIELD_NETWORK_TCP_BIND, "take it out there, or extend another policy"},
            {LAZ_FIELD_NETWORK_TCP_CONNECT, "take it out there, or extend another policy"},
            {LAZ_FIELD_SYSCALLS_GROUPS, "name its calls under \"syscalls.remove\""},
            {LAZ_FIELD_SYSCALLS_ALLOW, "name its calls under \"syscalls.remove\""},
            {LAZ_FIELD_CAPABILITIES_KEEP, "take it out there, or extend another policy"},
            {LAZ_FIELD_WORKLOAD_GROUPS, "take it out there, or extend another policy"},
            {LAZ_FIELD_ENV_PASS, "take it out there, or extend another policy"},
    };
    char where[LAZ_DIAGNOSTIC_FILE_MAX];
    laz_policy_pos_format(merge->policy, merge->listed[id]->pos, where, sizeof(where));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].field == id) {
            laz_report_warning(merge->report, node,
                    "an empty list takes nothing away: what %s says stays; %s", where,
                    rows[i].remedy);
        }
    }
}

static void note_list(struct laz_merge *merge, enum laz_field_id id, struct laz_node *node)
{
    bool is_empty = node->kind == LAZ_NODE_SEQUENCE && node->n_children == 0;
    if (is_empty && merge->listed[id] != NULL) {
        warn_of_empty(merge, id, node);
    } else if (!is_empty) {
        merge->listed[id] = node;
    }
}

static void note_positions(struct laz_merge *merge, const struct laz_document *document)
{
    for (size_t id = 0; id < LAZ_FIELD_COUNT; id++) {
        struct laz_node *node = document->at[id];
        if (node == NULL || node->is_bad) {
            continue;
        }
        merge->policy->key_pos[id] = node->pos;
        if (is_single(laz_field_at((enum laz_field_id)id))) {
            merge->said[id] = node;
        } else if (laz_field_at((enum laz_field_id)id)->shape == LAZ_SHAPE_LIST) {
            note_list(merge, (enum laz_field_id)id, node);
        }
    }
}

uint64_t laz_preset_number(const struct laz_field *field)
{
    if (field->preset == NULL) {
        return 0;
    }
    char text[LAZ_NAME_LENGTH_MAX];
    bool is_quoted = field->preset[0] == '"';
    size_t length = strlen(field->preset) - (is_quoted ? 2 : 0);
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_put(&buf, field->preset + (is_quoted ? 1 : 0), length);
    struct laz_scalar scalar = {.text = text, .length = length, .is_plain = !is_quoted};
    uint64_t number = 0;
    struct laz_err err = {0};
    return laz_scalar_parse(field, &scalar, &number, &err) == 0 ? number : 0;
}

static void store(struct laz_policy *policy, const struct laz_field *field, uint64_t number)
{
    char *member = (char *)policy + field->offset;
    switch (field->size) {
    case sizeof(uint8_t):
        *member = (char)number;
        break;
    case sizeof(uint16_t): {
        uint16_t value = (uint16_t)number;
        (void)memcpy(member, &value, sizeof(value));
        break;
    }
    case sizeof(uint32_t): {
        uint32_t value = (uint32_t)number;
        (void)memcpy(member, &value, sizeof(value));
        break;
    }
    default:
        (void)memcpy(member, &number, sizeof(number));
        break;
    }
}

static void store_singles(struct laz_merge *merge)
{
    for (size_t id = 0; id < LAZ_FIELD_COUNT; id++) {
        const struct laz_field *field = laz_field_at((enum laz_field_id)id);
        if (field->size > 0) {
            const struct laz_node *said = merge->said[id];
            store(merge->policy, field, said != NULL ? said->number : laz_preset_number(field));
        }
    }
}

/* Whether a file speaks of itself alone: what is not inherited. */
static void forget_what_is_not_inherited(struct laz_merge *merge)
{
    merge->said[LAZ_FIELD_NAME] = NULL;
    merge->said[LAZ_FIELD_SEALED] = NULL;
}

static void merge_document(struct laz_merge *merge, struct laz_document *document, bool is_last)
{
    if (is_last) {
        forget_what_is_not_inherited(merge);
    }
    note_positions(merge, document);
    laz_merge_workload(merge, document);
    laz_merge_filesystem(merge, document);
    laz_merge_network(merge, document);
    laz_merge_calls(merge, document);
    laz_merge_signals(merge, document);
    laz_merge_shipping(merge, document);
    laz_merge_sense(merge, document);
    laz_merge_plain(merge, document);
    laz_merge_secrets(merge, document);
    laz_merge_identities(merge, document);
    laz_merge_tunnel(merge, document);
    laz_merge_volumes(merge, document);
    laz_merge_health(merge, document);
    laz_merge_host(merge, document);
    if (is_last) {
        laz_merge_tests(merge, document);
    }
}

/* The file and all that it extends, parents first, each once: as if it were the file that was
 * named. Not what load->order keeps of it, for whoever names one of its parents before it moves
 * that one there. What is extended has no cycles. */
static size_t order_of(
        const struct laz_load *load, uint16_t file, uint16_t ret_order[LAZ_POLICY_FILES_MAX])
{
    uint16_t path[LAZ_POLICY_FILES_MAX] = {file};
    size_t followed[LAZ_POLICY_FILES_MAX] = {0}; /* parents of each file */
    uint32_t met = 1u << file;
    size_t depth = 1;
    size_t n = 0;
    while (depth > 0) {
        uint16_t top = path[depth - 1];
        const struct laz_document *document = &load->documents[top];
        if (followed[top] == document->n_parents) {
            ret_order[n++] = top;
            depth--;
            continue;
        }
        uint16_t parent = document->parents[followed[top]++];
        if ((met >> parent & 1) == 0) {
            met |= 1u << parent;
            path[depth++] = parent;
        }
    }
    return n;
}

static void name_policy(struct laz_merge *merge, uint16_t file)
{
    const struct laz_node *said = merge->said[LAZ_FIELD_NAME];
    const char *name = merge->policy->files[file].name;
    const char *slash = strrchr(name, '/');
    name = slash != NULL ? slash + 1 : name;
    const char *dot = strrchr(name, '.');
    size_t length = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
    merge->policy->name = said != NULL ? laz_arena_copy(merge->arena, said->text, said->length)
                                       : laz_arena_copy(merge->arena, name, length);
}

void laz_merge(struct laz_load *load, struct laz_report *report, uint16_t file,
        struct laz_policy *ret_policy)
{
    struct laz_merge merge = {
            .load = load, .report = report, .arena = &load->arena, .policy = ret_policy};
    merge.calls = laz_arena_take(merge.arena, laz_syscall_count(), sizeof(*merge.calls));
    ret_policy->key_pos =
            laz_arena_take(merge.arena, LAZ_FIELD_COUNT, sizeof(*ret_policy->key_pos));
    ret_policy->decisions =
            laz_arena_take(merge.arena, laz_syscall_count(), sizeof(*ret_policy->decisions));
    if (merge.calls == NULL || ret_policy->key_pos == NULL || ret_policy->decisions == NULL) {
        return;
    }
    for (unsigned i = 0; i <= LAZ_SIGNAL_MAX; i++) {
        ret_policy->signal_map[i] = (uint8_t)i;
    }
    uint16_t order[LAZ_POLICY_FILES_MAX];
    size_t n = order_of(load, file, order);
    for (size_t i = 0; i < n; i++) {
        merge_document(&merge, &load->documents[order[i]], order[i] == file);
    }
    store_singles(&merge);
    name_policy(&merge, file);
    laz_finish_workload(&merge);
    laz_finish_calls(&merge);
    laz_finish_network(&merge);
    laz_finish_quiet(&merge);
    laz_finish_signals(&merge);
    laz_finish_shipping(&merge);
    laz_finish_tunnel(&merge); /* before both: where tunnels listen, and lead to, counts there */
    laz_finish_plain(&merge);
    laz_finish_sense(&merge);
    laz_finish_secrets(&merge);
    laz_finish_health(&merge);
    laz_finish_tls(&merge);
    laz_finish_volumes(&merge);
    if (file == 0) {
        laz_complete(&merge);
    }
    laz_relaxations(&merge);
}
