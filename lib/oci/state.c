/* SPDX-License-Identifier: Apache-2.0
 *
 * The state document of a runtime. Runc leaves out what it does not have, crun writes 0 and adds
 * `root` and `owner`; keys that nobody knows are passed over.
 */
#include "oci/state.h"

#include <stdlib.h>
#include <string.h>

#define PID_MAX (1U << 22) /* the kernel's own ceiling */

static const char *const status_names[] = {
        [LAZ_OCI_CREATING] = "creating",
        [LAZ_OCI_CREATED] = "created",
        [LAZ_OCI_STARTING] = "starting",
        [LAZ_OCI_RUNNING] = "running",
        [LAZ_OCI_STOPPED] = "stopped",
};

const char *laz_oci_status_name(enum laz_oci_status status)
{
    return status_names[status];
}

bool laz_oci_is_id(const char *id)
{
    static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789_+-.";
    size_t length = strlen(id);
    return length > 0 && length <= LAZ_OCI_ID_MAX && id[0] != '.' &&
            strspn(id, characters) == length;
}

static int fail(struct laz_err *err, const char *key, const char *why)
{
    return laz_err_set(err, LAZ_E_OCI_STATE, 0, "state: %s: %s", key, why);
}

static const struct laz_json_node *member(const struct laz_oci_state *state, const char *key)
{
    const struct laz_json_node *node =
            laz_json_member(&state->doc, laz_json_root(&state->doc), key);
    return node == NULL || node->type == LAZ_JSON_NULL ? NULL : node;
}

static int read_status(struct laz_oci_state *state, struct laz_err *err)
{
    const struct laz_json_node *node = member(state, "status");
    for (size_t i = 0; i < sizeof(status_names) / sizeof(status_names[0]); i++) {
        if (laz_json_is(&state->doc, node, status_names[i])) {
            state->status = (enum laz_oci_status)i;
            return 0;
        }
    }
    return fail(err, "status", "absent, or not one that a runtime has");
}

/* Absent is "". */
static int read_path(const struct laz_oci_state *state, const char *key,
        char ret[LAZ_OCI_BUNDLE_MAX], struct laz_err *err)
{
    const struct laz_json_node *node = member(state, key);
    ret[0] = '\0';
    return node == NULL || laz_json_copy(&state->doc, node, ret, LAZ_OCI_BUNDLE_MAX)
            ? 0
            : fail(err, key, "not a path");
}

static int read_fields(struct laz_oci_state *state, struct laz_err *err)
{
    const struct laz_json_node *pid = member(state, "pid");
    const struct laz_json_node *annotations = member(state, "annotations");
    uint64_t number = 0;
    if (laz_json_root(&state->doc)->type != LAZ_JSON_OBJECT) {
        return laz_err_set(err, LAZ_E_OCI_STATE, 0, "state: not an object");
    }
    if (!laz_json_copy(&state->doc, member(state, "id"), state->id, sizeof(state->id)) ||
            !laz_oci_is_id(state->id)) {
        return fail(err, "id", "absent, or not the name of a container");
    }
    if (pid != NULL && !laz_json_number(&state->doc, pid, PID_MAX, &number)) {
        return fail(err, "pid", "not the number of a process");
    }
    if (annotations != NULL && annotations->type != LAZ_JSON_OBJECT) {
        return fail(err, "annotations", "not an object");
    }
    state->pid = (uint32_t)number;
    if (read_path(state, "bundle", state->bundle, err) < 0 ||
            read_path(state, "root", state->root, err) < 0) {
        return -1;
    }
    if (state->bundle[0] != '/') {
        return fail(err, "bundle", "absent, or not an absolute path");
    }
    return read_status(state, err);
}

int laz_oci_state_read(
        const char *text, size_t length, struct laz_oci_state *ret, struct laz_err *err)
{
    if (length > LAZ_OCI_STATE_MAX) {
        return laz_err_set(err, LAZ_E_OCI_STATE, 0, "state: %zu bytes, more than %zu", length,
                LAZ_OCI_STATE_MAX);
    }
    uint32_t max = laz_json_nodes_max(length);
    struct laz_json_node *nodes = calloc(max, sizeof(*nodes));
    const struct laz_json_room room = {.nodes = nodes, .max = max, .kind = LAZ_E_OCI_STATE};
    if (nodes == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to read a state");
    }
    *ret = (struct laz_oci_state){.nodes = nodes};
    if (laz_json_read(text, length, &room, &ret->doc, err) < 0) {
        laz_oci_state_done(ret);
        return laz_err_context(err, "state");
    }
    if (read_fields(ret, err) < 0) {
        laz_oci_state_done(ret);
        return -1;
    }
    return 0;
}

void laz_oci_state_done(struct laz_oci_state *state)
{
    free(state->nodes);
    state->nodes = NULL;
}
