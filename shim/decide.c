/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is who of what enters. What cannot be shown to be the health command or the agent is a
 * command like any other; what only calls itself the agent is judged by the stricter of both.
 */
#include "shim/decide.h"

#include <stdio.h>
#include <string.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "core/resolve.h"
#include "core/rooted.h"
#include "core/sha256.h"
#include "shim/call.h"
#include "shim/clamp.h"

#define OWN_VARIABLES "LAZARET_" /* which are dropped from both sides */
#define HOST_NAME     "HOSTNAME" /* which podman gives the first process alone */
#define DENIED        "(host.exec: deny; "
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Where the agent of ECS has its program on the host, below a folder for each version, and where it
 * mounts it, in a folder of the container's own. */
#define AGENT_SOURCE "/var/lib/ecs/deps/execute-command/bin/"
#define AGENT_PLACE  "/ecs-execute-command-"
#define AGENT_NAME   "/amazon-ssm-agent"

/* ---- how a container begins ---- */

static void add_number(struct laz_sha256 *hash, uint64_t number)
{
    laz_sha256_add(hash, &number, sizeof(number));
}

static int add_text(struct laz_sha256 *hash, const struct laz_oci_spec *spec,
        const struct laz_json_node *node, struct laz_err *err)
{
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_OCI_TEXT_MAX);
    if (node != NULL && !laz_json_text(&spec->doc, node, &text)) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "a variable or the folder is no text");
    }
    add_number(hash, text.len);
    laz_sha256_add(hash, text.data == NULL ? "" : text.data, text.len);
    return 0;
}

static int add_variables(struct laz_sha256 *hash, const struct laz_oci_spec *spec,
        const struct laz_json_node *list, bool has_name, struct laz_err *err)
{
    const struct laz_json_node *node = NULL;
    while (list != NULL && (node = laz_json_next(&spec->doc, list, node)) != NULL) {
        bool is_meant = !laz_oci_begins(spec, node, OWN_VARIABLES) &&
                (has_name || !laz_oci_is_variable(spec, node, HOST_NAME));
        if (is_meant && add_text(hash, spec, node, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_groups(struct laz_sha256 *hash, const struct laz_oci_spec *spec,
        const struct laz_json_node *list, struct laz_err *err)
{
    const struct laz_json_node *node = NULL;
    uint64_t group = 0;
    uint64_t n = 0;
    while (list != NULL && (node = laz_json_next(&spec->doc, list, node)) != NULL) {
        n++;
        if (!laz_json_number(&spec->doc, node, UINT32_MAX, &group)) {
            return laz_err_set(err, LAZ_E_REQUEST, 0, "a group is no number");
        }
        add_number(hash, group);
    }
    add_number(hash, n);
    return 0;
}

/* All that a process has beside its command and what is clamped anyway. */
static int put_digest(const struct laz_oci_spec *spec, const struct laz_oci_process *process,
        bool has_name, char ret[LAZ_OCI_DIGEST_SIZE], struct laz_err *err)
{
    struct laz_sha256 hash;
    uint8_t digest[LAZ_SHA256_SIZE];
    laz_sha256_init(&hash);
    add_number(&hash, process->uid);
    add_number(&hash, process->gid);
    if (add_groups(&hash, spec, process->groups, err) < 0 ||
            add_text(&hash, spec, process->cwd, err) < 0 ||
            add_variables(&hash, spec, process->env, has_name, err) < 0) {
        return -1;
    }
    laz_sha256_end(&hash, digest);
    laz_format_hex(digest, sizeof(digest), ret);
    return 0;
}

/* ---- the agent of ECS ---- */

static bool is_name(const char *name, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    return length > 0 && name[0] != '.' && strspn(name, letters) == length;
}

/* FIRST, one part of a path, AGENT_NAME. */
static bool is_agent_at(const char *path, const char *first)
{
    size_t before = strlen(first);
    const char *part = path + before;
    if (strncmp(path, first, before) != 0) {
        return false;
    }
    size_t length = strcspn(part, "/");
    return is_name(part, length) && strcmp(part + length, AGENT_NAME) == 0;
}

static bool has_option(
        const struct laz_oci_spec *spec, const struct laz_json_node *list, const char *option)
{
    const struct laz_json_node *node = NULL;
    while (list != NULL && (node = laz_json_next(&spec->doc, list, node)) != NULL) {
        if (laz_oci_is(spec, node, option)) {
            return true;
        }
    }
    return false;
}

/* Nobody but root can have put it there, and nobody in the container can write to it. */
static bool is_agent(const struct laz_oci_spec *spec, const struct laz_oci_mount *mount,
        char place[LAZ_OCI_WORD_SIZE])
{
    char source[LAZ_BUNDLE_PATH_SIZE];
    struct laz_err ignored = {0};
    laz_cleanup_fd int fd = -1;
    return laz_oci_is(spec, mount->type, "bind") && has_option(spec, mount->options, "ro") &&
            mount->destination != NULL && mount->source != NULL &&
            laz_json_copy(&spec->doc, mount->destination, place, LAZ_OCI_WORD_SIZE) &&
            is_agent_at(place, AGENT_PLACE) &&
            laz_json_copy(&spec->doc, mount->source, source, sizeof(source)) &&
            is_agent_at(source, AGENT_SOURCE) && laz_rooted_open(source, &fd, &ignored) == 0;
}

/* Behind it, nothing may be mounted on it, or on what it is in: not by its own name, and not by one
 * that climbs. */
static bool may_cover(
        const struct laz_oci_spec *spec, const struct laz_json_node *destination, const char *place)
{
    char path[LAZ_BUNDLE_PATH_SIZE];
    if (destination == NULL || !laz_json_copy(&spec->doc, destination, path, sizeof(path))) {
        return true;
    }
    size_t length = strlen(path);
    return !laz_resolve_is_plain(path) ||
            (strncmp(path, place, length) == 0 && (place[length] == '/' || place[length] == '\0'));
}

static void find_agent(const struct laz_bundle *bundle, char ret[LAZ_OCI_WORD_SIZE])
{
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *mounts = bundle->container.mounts;
    const struct laz_json_node *node = NULL;
    ret[0] = '\0';
    while (mounts != NULL && (node = laz_json_next(&spec->doc, mounts, node)) != NULL) {
        char place[LAZ_OCI_WORD_SIZE];
        struct laz_oci_mount mount = laz_oci_mount(spec, node);
        if (ret[0] != '\0' && may_cover(spec, mount.destination, ret)) {
            ret[0] = '\0';
        }
        if (is_agent(spec, &mount, place)) {
            (void)memcpy(ret, place, sizeof(place));
        }
    }
}

int laz_decide_remember(
        const struct laz_bundle *bundle, struct laz_oci_record *ret, struct laz_err *err)
{
    const struct laz_oci_spec *spec = &bundle->spec;
    find_agent(bundle, ret->ecs_agent);
    if (put_digest(spec, &bundle->process, true, ret->process_digest, err) < 0) {
        return -1;
    }
    return put_digest(spec, &bundle->process, false, ret->nameless_digest, err);
}

/* ---- who it is ---- */

static bool has_command(const struct laz_oci_spec *spec, const struct laz_oci_process *process,
        const struct laz_string_list *command)
{
    const struct laz_json_node *node = NULL;
    size_t i = 0;
    while (process->args != NULL &&
            (node = laz_json_next(&spec->doc, process->args, node)) != NULL) {
        if (i == command->n || !laz_oci_is(spec, node, command->items[i])) {
            return false;
        }
        i++;
    }
    return i > 0 && i == command->n;
}

/* It is what the container's own process was: the command is all that it could bring. */
static int is_as_begun(const struct laz_oci_record *record, const struct laz_oci_spec *spec,
        const struct laz_oci_process *process, bool *ret, struct laz_err *err)
{
    char digest[LAZ_OCI_DIGEST_SIZE];
    *ret = false;
    if (record == NULL || process->terminal) {
        return 0;
    }
    if (put_digest(spec, process, true, digest, err) < 0) {
        return -1;
    }
    bool has_name = laz_oci_environment(spec, HOST_NAME) != NULL;
    *ret = strcmp(digest, has_name ? record->process_digest : record->nameless_digest) == 0;
    return 0;
}

static bool is_recorded_agent(const struct laz_oci_record *record, const struct laz_oci_spec *spec,
        const struct laz_oci_process *process)
{
    struct laz_string_list only = {.n = 1};
    char *word = NULL;
    if (record == NULL || record->ecs_agent[0] == '\0' || process->terminal) {
        return false;
    }
    word = laz_unconst(record->ecs_agent);
    only.items = &word;
    return has_command(spec, process, &only);
}

static bool is_probe(const struct laz_oci_spec *spec, const struct laz_oci_process *process)
{
    const struct laz_json_node *first =
            process->args == NULL ? NULL : laz_json_next(&spec->doc, process->args, NULL);
    return laz_oci_is(spec, first, LAZ_CONTAINER_INIT) &&
            laz_oci_is(spec, laz_json_next(&spec->doc, process->args, first), "probe");
}

/* By `exec`; and what only calls itself the agent, by the stricter of both. */
static void decide_other(const struct laz_policy_host *host, const struct laz_oci_spec *spec,
        const struct laz_oci_process *process, struct laz_entering *ret)
{
    const struct laz_json_node *first =
            process->args == NULL ? NULL : laz_json_next(&spec->doc, process->args, NULL);
    ret->mode = (enum laz_host_exec)host->exec;
    if (laz_oci_begins(spec, first, AGENT_PLACE) && laz_clamp_ends_with(spec, first, AGENT_NAME)) {
        ret->mode = host->ecs_exec < host->exec ? (enum laz_host_exec)host->ecs_exec : ret->mode;
        ret->why = "(host.exec, host.ecs-exec: it is not the agent's that was mounted)";
    }
}

int laz_decide(const struct laz_host_policy *policy, const struct laz_oci_record *record,
        const struct laz_oci_spec *spec, const struct laz_oci_process *process,
        struct laz_entering *ret, struct laz_err *err)
{
    const struct laz_policy_host *host = &policy->host;
    bool is_health = false;
    *ret = (struct laz_entering){.why = host->health_command.n > 0
                    ? DENIED "it is not the command of host.health-check)"
                    : DENIED "an engine's health check comes in by host.health-check)",
            .is_probe = is_probe(spec, process)};
    if (has_command(spec, process, &host->health_command)) {
        if (is_as_begun(record, spec, process, &is_health, err) < 0) {
            return -1;
        }
        ret->why = DENIED "it is the health command, but not with the user, the variables and "
                          "the folder that the container began with)";
    }
    if (is_health) {
        ret->way = LAZ_NOTE_HEALTH;
        ret->mode = (enum laz_host_exec)host->health_exec;
        ret->why = "(host.health-check.exec: deny)";
    } else if (is_recorded_agent(record, spec, process)) {
        ret->way = LAZ_NOTE_ECS;
        ret->mode = (enum laz_host_exec)host->ecs_exec;
        ret->why = "(host.ecs-exec: deny)";
        (void)laz_format(ret->agent_folder, sizeof(ret->agent_folder), "%.*s",
                (int)(strlen(record->ecs_agent) - strlen(AGENT_NAME)), record->ecs_agent);
    } else {
        decide_other(host, spec, process, ret);
    }
    return 0;
}
