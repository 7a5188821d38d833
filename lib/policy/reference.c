/* SPDX-License-Identifier: Apache-2.0
 *
 * The field table as the reference page (Markdown). The prose that is not about single keys is
 * here, once.
 */
#include <inttypes.h>
#include <string.h>

#include "policy/fields.h"
#include "policy/runtime.h"
#include "policy/scalar.h"

#define PATH_LENGTH 96 /* of the longest dotted path; 33 today */

static const char introduction[] =
        "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
        "<!-- Generated from lib/policy/fields.def: change it there. -->\n"
        "# The policy language\n\n"
        "A policy is a YAML file. Only its keys, in kebab-case, mean anything; what is not there "
        "is not\n"
        "granted: an empty list grants nothing, and takes nothing away from what an extended "
        "policy\n"
        "grants. No key turns everything off.\n\n"
        "The reader is strict, so that one text has one meaning. Errors, each with file, line, "
        "column and\n"
        "the source line: unknown and duplicate keys, aliases, anchors, tags, merge keys, "
        "directives, a\n"
        "second document, block text, values on several lines, characters that are not UTF-8 or "
        "cannot be\n"
        "seen, and values of the wrong kind. What a value is comes from this page, not from how it "
        "looks:\n"
        "`no` is text where text is expected and an error where a boolean is. Numbers are decimal; "
        "what\n"
        "looks like a number and is text (`\"10001:10001\"`, `\"0077\"`) stands in quotes. A path "
        "is absolute, in\n"
        "its plainest form, and leads by no process or descriptor (`/proc/self`, `/proc/1`, "
        "`/dev/fd`,\n"
        "`/dev/stdout` and their like), because what such a path means is decided when it is "
        "opened.\n\n"
        "Several files make one policy by `extends`: they apply in order, lists add up, single "
        "values\n"
        "replace, `remove` subtracts.\n\n"
        "| ceiling | |\n|---|---|\n";

static void put_ceilings(struct laz_buf *ret)
{
    laz_buf_printf(ret, "| one file, all files | %d KiB, %d KiB |\n", LAZ_POLICY_FILE_MAX / 1024,
            LAZ_POLICY_TOTAL_MAX / 1024);
    laz_buf_printf(ret, "| files, depth of `extends` | %d, %d |\n", LAZ_POLICY_FILES_MAX,
            LAZ_POLICY_EXTENDS_DEPTH);
    laz_buf_printf(ret,
            "| nesting, values in a file, bytes of a value, entries of a list | %d, %d, %d, %d |\n",
            LAZ_POLICY_DEPTH_MAX, LAZ_POLICY_NODES_MAX, LAZ_POLICY_SCALAR_MAX, LAZ_POLICY_LIST_MAX);
    laz_buf_printf(ret, "| rules, conditions of a rule, values of a condition | %d, %d, %d |\n",
            LAZ_POLICY_RULES_MAX, LAZ_POLICY_CONDS_MAX, LAZ_POLICY_VALUES_MAX);
    laz_buf_printf(ret, "| paths | %d |\n", LAZ_POLICY_PATHS_MAX);
    laz_buf_printf(ret, "| secrets, pairs of an encryption context | %d, %d |\n",
            LAZ_FETCH_ITEMS_MAX, LAZ_FETCH_CONTEXT_MAX);
}

/* ---- Types in words ---- */

static void put_words(struct laz_buf *ret, const struct laz_word *words)
{
    bool is_first = true;
    for (; words != NULL && words->word != NULL; words++) {
        if (!words->is_later) {
            laz_buf_printf(ret, "%s`%s`", is_first ? "" : ", ", words->word);
            is_first = false;
        }
    }
}

/* "" where the range or the words say it. */
static const char *type_name(enum laz_field_type type)
{
    static const char *const names[] = {
            [LAZ_TYPE_MAP] = "mapping",
            [LAZ_TYPE_BOOL] = "`true` or `false`",
            [LAZ_TYPE_DURATION] = "duration (`50ms`, `10s`, `5m`, `24h`)",
            [LAZ_TYPE_PERCENT] = "percentage",
            [LAZ_TYPE_OCTAL] = "octal in quotes",
            [LAZ_TYPE_NAME] = "name",
            [LAZ_TYPE_SINK_NAME] = "name",
            [LAZ_TYPE_LOG_GROUP] = "name",
            [LAZ_TYPE_LOG_STREAM] = "name",
            [LAZ_TYPE_PROCESS] = "name",
            [LAZ_TYPE_POLICY] = "policy",
            [LAZ_TYPE_USER] = "user",
            [LAZ_TYPE_GROUP] = "group",
            [LAZ_TYPE_PATH] = "absolute path",
            [LAZ_TYPE_ENV_NAME] = "variable",
            [LAZ_TYPE_ENV_VALUE] = "text",
            [LAZ_TYPE_LITERAL] = "text",
            [LAZ_TYPE_TEXT] = "text",
            [LAZ_TYPE_SYSCALL] = "system call",
            [LAZ_TYPE_SYSCALL_GROUP] = "group of calls",
            [LAZ_TYPE_ARGUMENT] = "argument",
            [LAZ_TYPE_VALUE] = "number or constant",
            [LAZ_TYPE_CAPABILITY] = "capability",
            [LAZ_TYPE_ERRNO] = "errno",
            [LAZ_TYPE_SIGNAL] = "signal",
            [LAZ_TYPE_FAMILY] = "socket family",
            [LAZ_TYPE_LIMIT] = "number or size",
            [LAZ_TYPE_PATTERN] = "pattern",
            [LAZ_TYPE_HOST] = "host",
            [LAZ_TYPE_ADDRESS] = "host:port",
            [LAZ_TYPE_URL] = "URL",
            [LAZ_TYPE_PORT] = "port/protocol",
            [LAZ_TYPE_VALUE_FROM] = "`valueFrom` of ECS",
            [LAZ_TYPE_SECRET_ID] = "name or ARN",
            [LAZ_TYPE_PARAMETER] = "name or ARN",
            [LAZ_TYPE_KMS_KEY] = "ARN",
            [LAZ_TYPE_BELOW] = "relative path",
            [LAZ_TYPE_PARAMETER_PATH] = "path of parameters",
            [LAZ_TYPE_VAULT_SECRET] = "path of Vault",
            [LAZ_TYPE_VAULT_NAME] = "name",
            [LAZ_TYPE_VERSION] = "number or text",
            [LAZ_TYPE_PCA] = "ARN",
            [LAZ_TYPE_PCA_TEMPLATE] = "name or ARN",
            [LAZ_TYPE_VALIDITY] = "time in m, h or d",
            [LAZ_TYPE_SAN_DNS] = "DNS name",
            [LAZ_TYPE_SAN_IP] = "address",
            [LAZ_TYPE_SAN_URI] = "URI",
            [LAZ_TYPE_PEER] = "dns:name or URI",
            [LAZ_TYPE_CHECK_URL] = "URL",
            [LAZ_TYPE_STATUS] = "status or range",
            [LAZ_TYPE_COMMAND] = "word",
            [LAZ_TYPE_SERVICE] = "name",
            [LAZ_TYPE_SOCKET] = "address:port or unix:path",
    };
    bool is_named = (size_t)type < sizeof(names) / sizeof(names[0]) && names[type] != NULL;
    return is_named ? names[type] : "";
}

static void put_type(struct laz_buf *ret, const struct laz_field *field)
{
    bool has_word = field->words != NULL && field->type != LAZ_TYPE_WORD;
    if (has_word) {
        put_words(ret, field->words);
        laz_buf_str(ret, " or ");
    }
    if (field->shape == LAZ_SHAPE_LIST) {
        laz_buf_str(ret, "list: ");
    } else if (field->shape == LAZ_SHAPE_DICT) {
        laz_buf_printf(
                ret, "%s: ", field->keys == LAZ_TYPE_LIMIT ? "limit" : type_name(field->keys));
    }
    if (field->single == LAZ_TYPE_INT) {
        laz_buf_printf(ret, "%" PRId64 " to %" PRIu64 ", or ", field->min, field->max);
    } else if (field->single != LAZ_TYPE_MAP) {
        laz_buf_printf(ret, "%s, or ", type_name(field->single));
    }
    if (field->type == LAZ_TYPE_WORD) {
        put_words(ret, field->words);
    } else if (field->type == LAZ_TYPE_INT && field->min == (int64_t)field->max) {
        laz_buf_printf(ret, "`%" PRId64 "`", field->min);
    } else if (field->type == LAZ_TYPE_INT) {
        laz_buf_printf(ret, "%" PRId64 " to %" PRIu64, field->min, field->max);
    } else if (field->type == LAZ_TYPE_SIZE) {
        laz_size_format((uint64_t)field->min, ret);
        laz_buf_str(ret, " to ");
        laz_size_format(field->max, ret);
    } else {
        laz_buf_str(ret, type_name(field->type));
    }
    if (field->shape == LAZ_SHAPE_ONE_OR_LIST) {
        laz_buf_str(ret, ", or a list of them");
    }
}

/* ---- Sections ---- */

static void put_row(struct laz_buf *ret, enum laz_field_id id)
{
    const struct laz_field *field = laz_field_at(id);
    char path[PATH_LENGTH];
    laz_field_path(id, path, sizeof(path));
    laz_buf_printf(ret, "| `%s` | ", path);
    put_type(ret, field);
    const char *preset = field->preset != NULL                                       ? field->preset
            : field->is_required                                                     ? "required"
            : field->shape != LAZ_SHAPE_ONE && field->shape != LAZ_SHAPE_ONE_OR_LIST ? "none"
                                                                                     : "";
    bool is_literal = field->preset != NULL;
    laz_buf_printf(ret, " | %s%s%s | %s", is_literal ? "`" : "", preset, is_literal ? "`" : "",
            field->doc);
    if (field->example != NULL) {
        laz_buf_printf(ret, " Example: `%s: %s`.", field->key, field->example);
    }
    laz_buf_str(ret, " |\n");
}

/* The top-level key that a row stands below. */
static enum laz_field_id section_of(enum laz_field_id id)
{
    while (laz_field_at(id)->parent != LAZ_FIELD_ROOT) {
        id = laz_field_at(id)->parent;
    }
    return id;
}

static void put_section(struct laz_buf *ret, enum laz_field_id section)
{
    const struct laz_field *head = laz_field_at(section);
    laz_buf_printf(ret, "\n## %s\n\n%s\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
            head->key, head->doc);
    if (head->type != LAZ_TYPE_MAP) {
        put_row(ret, section);
    }
    for (enum laz_field_id id = section + 1; id < LAZ_FIELD_COUNT; id++) {
        if (section_of(id) == section && laz_field_at(id)->type != LAZ_TYPE_LATER) {
            put_row(ret, id);
        }
    }
}

/* The keys that are a single value each. */
static void put_general(struct laz_buf *ret)
{
    laz_buf_str(ret, "\n## General\n\n| key | value | default | meaning |\n|---|---|---|---|\n");
    for (enum laz_field_id id = LAZ_FIELD_VERSION; id < LAZ_FIELD_REQUIRES; id++) {
        put_row(ret, id);
    }
}

static void put_groups(struct laz_buf *ret, enum laz_group_kind kind)
{
    laz_buf_str(ret, "\n| group | calls | |\n|---|---|---|\n");
    for (size_t i = 0; i < laz_group_count(); i++) {
        const struct laz_group *group = laz_group_at(i);
        if (group->kind == kind) {
            laz_buf_printf(ret, "| `%s` | %u | %s |\n", group->name, group->n_members, group->help);
        }
    }
}

static void put_names(struct laz_buf *ret)
{
    laz_buf_str(
            ret, "\n## Groups of system calls\n\nThose that may stand under `syscalls.groups`:\n");
    put_groups(ret, LAZ_GROUP_GRANT);
    laz_buf_str(
            ret, "\nThose whose calls are allowed by their own names only, and are relaxations:\n");
    put_groups(ret, LAZ_GROUP_NEVER);
    laz_buf_str(ret, "\n## Limits\n\n");
    for (int i = 0; i < LAZ_LIMIT_COUNT; i++) {
        laz_buf_printf(ret, "%s`%s`", i == 0 ? "" : ", ", laz_rlimit_name(i));
    }
    laz_buf_str(ret, ".\n\n## Socket families\n\n");
    for (size_t i = 0; i < laz_socket_family_count(); i++) {
        laz_buf_printf(ret, "%s`%s`", i == 0 ? "" : ", ", laz_socket_family_at(i)->name);
    }
    laz_buf_str(ret, ".\n");
}

static void put_later(struct laz_buf *ret)
{
    laz_buf_str(ret,
            "\n## Not in this version\n\nThese keys are known and refused, with their position:");
    bool is_first = true;
    for (enum laz_field_id id = LAZ_FIELD_VERSION; id < LAZ_FIELD_COUNT; id++) {
        if (laz_field_at(id)->type == LAZ_TYPE_LATER) {
            char path[PATH_LENGTH];
            laz_field_path(id, path, sizeof(path));
            laz_buf_printf(ret, "%s `%s`", is_first ? "" : ",", path);
            is_first = false;
        }
    }
    laz_buf_str(ret, ".\n");
}

void laz_policy_reference(struct laz_buf *ret)
{
    laz_buf_str(ret, introduction);
    put_ceilings(ret);
    put_general(ret);
    for (enum laz_field_id id = LAZ_FIELD_REQUIRES; id < LAZ_FIELD_COUNT; id++) {
        const struct laz_field *field = laz_field_at(id);
        if (field->parent == LAZ_FIELD_ROOT && field->type != LAZ_TYPE_LATER) {
            put_section(ret, id);
        }
    }
    put_names(ret);
    put_later(ret);
}

/* ---- The host's file ---- */

static const char runtime_introduction[] =
        "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
        "<!-- Generated from lib/policy/runtime.def: change it there. -->\n"
        "# The host's file\n\n"
        "`" LAZ_RUNTIME_FILE "` says to `lazaret-shim` which program runs containers, and which\n"
        "[policy](policy.md) each of them gets. It is YAML, read as strictly as a policy, with the "
        "same\n"
        "messages. No option and no variable names another file. It, the policies in\n"
        "`" LAZ_RUNTIME_POLICIES "` and every folder above them must be root's and writable by "
        "nobody\n"
        "else; `lazaret runtime check` reads all of them as the shim does. In these policies users "
        "and groups\n"
        "are numbers: whose `/etc/passwd` is meant is not known before there is a container.\n\n"
        "A policy is selected by the first rule of `select`, else `infra-policy`, else "
        "`default-policy`; with\n"
        "none of them the container is refused. The host's administrator writes these rules; but "
        "what the\n"
        "rules look at comes from whoever talks to the engine. The name of the runtime "
        "(`runtime-name`) and the\n"
        "control group (`cgroups-path`, `infra-policy`) are flags, `docker run --runtime` and "
        "`--cgroup-parent`:\n"
        "on a host where one of them leads to `pass-through`, who may use the engine's socket may "
        "run a\n"
        "container without a policy. Let only the orchestrator's agent have the socket there, or "
        "give each rule\n"
        "a policy. Whoever is trusted less, such as an image, may choose another policy of this "
        "host by its name,\n"
        "if it allows nothing that the selected one does not.\n\n"
        "What a policy says to the host is in [its section `host`](policy.md#host).\n\n"
        "| ceiling | |\n|---|---|\n";

void laz_runtime_reference(struct laz_buf *ret)
{
    laz_buf_str(ret, runtime_introduction);
    laz_buf_printf(ret, "| the file, names, rules | %d KiB, %d, %d |\n", LAZ_POLICY_FILE_MAX / 1024,
            LAZ_RUNTIME_NAMES_MAX, LAZ_RUNTIME_RULES_MAX);
    laz_buf_str(ret, "\n## Keys\n\n| key | value | default | meaning |\n|---|---|---|---|\n");
    for (enum laz_field_id id = LAZ_FIELD_RUNTIME + 1; id < LAZ_FIELD_END; id++) {
        put_row(ret, id);
    }
}
