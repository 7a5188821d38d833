/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a config.json or process.json, and looks at it. Views are taken from the keys that were
 * checked; null is absent everywhere.
 */
#include "oci/spec.h"

#include <stdlib.h>
#include <string.h>

#include "oci/keys.h"

#define TYPE_SIZE      64  /* of a namespace; the longest known has 7 bytes */
#define NAMESPACES_MAX 32U /* 8 are known */
#define VARIABLE_SIZE  256 /* the name of a variable that we ask for, and = */

static const char *file_of(enum laz_oci_form form)
{
    return form == LAZ_OCI_CONFIG ? "config.json" : "process.json";
}

/* Runc refuses a type of namespace that is there twice, crun joins the last one. */
static int check_namespaces(const struct laz_oci_spec *spec, struct laz_err *err)
{
    const struct laz_json_doc *doc = &spec->doc;
    const struct laz_json_node *list = laz_oci_container(spec).namespaces;
    const struct laz_json_node *node = NULL;
    for (unsigned i = 0; (node = laz_json_next(doc, list, node)) != NULL; i++) {
        char type[TYPE_SIZE];
        if (!laz_json_copy(doc, laz_oci_member(spec, node, "type"), type, sizeof(type))) {
            return laz_err_set(
                    err, LAZ_E_OCI, 0, "linux.namespaces[%u].type: absent, or too long", i);
        }
        const struct laz_json_node *other = laz_json_next(doc, list, node);
        while (other != NULL && !laz_oci_is(spec, laz_oci_member(spec, other, "type"), type)) {
            other = laz_json_next(doc, list, other);
        }
        if (other != NULL) {
            return laz_err_set(err, LAZ_E_OCI, 0,
                    "linux.namespaces[%u].type: there again, and which one counts depends on the "
                    "runtime",
                    i);
        }
        if (i == NAMESPACES_MAX) {
            return laz_err_set(err, LAZ_E_OCI, 0, "linux.namespaces: more than %u", NAMESPACES_MAX);
        }
    }
    return 0;
}

int laz_oci_spec_open(const char *text, size_t length, enum laz_oci_form form,
        struct laz_oci_spec *ret, struct laz_err *err)
{
    if (length > LAZ_OCI_TEXT_MAX) {
        return laz_err_set(err, LAZ_E_OCI, 0, "%s: %zu bytes, more than %zu", file_of(form), length,
                LAZ_OCI_TEXT_MAX);
    }
    uint32_t max = laz_json_nodes_max(length);
    struct laz_oci_spec spec = {.form = form, .nodes = calloc(max, sizeof(*spec.nodes))};
    if (spec.nodes == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "%s: no memory to read it", file_of(form));
    }
    const struct laz_json_room room = {
            .nodes = spec.nodes, .max = max, .kind = LAZ_E_OCI, .depth = LAZ_OCI_DEPTH_MAX};
    if (laz_json_read(text, length, &room, &spec.doc, err) < 0 ||
            laz_oci_check_keys(&spec.doc, form, err) < 0 || check_namespaces(&spec, err) < 0) {
        laz_oci_spec_done(&spec);
        return laz_err_context(err, "%s", file_of(form));
    }
    *ret = spec;
    return 0;
}

void laz_oci_spec_done(struct laz_oci_spec *spec)
{
    free(spec->nodes);
    *spec = (struct laz_oci_spec){.form = spec->form};
}

const struct laz_json_node *laz_oci_member(
        const struct laz_oci_spec *spec, const struct laz_json_node *object, const char *key)
{
    const struct laz_json_node *node = laz_json_member(&spec->doc, object, key);
    return node == NULL || node->type == LAZ_JSON_NULL ? NULL : node;
}

static bool is_true(const struct laz_json_node *node)
{
    return node != NULL && node->type == LAZ_JSON_TRUE;
}

bool laz_oci_is(const struct laz_oci_spec *spec, const struct laz_json_node *node, const char *text)
{
    return laz_json_is(&spec->doc, node, text);
}

bool laz_oci_begins(
        const struct laz_oci_spec *spec, const struct laz_json_node *node, const char *text)
{
    return laz_json_begins(&spec->doc, node, text);
}

/* ---- the process ---- */

static const struct laz_json_node *process_of(const struct laz_oci_spec *spec)
{
    const struct laz_json_node *root = laz_json_root(&spec->doc);
    return spec->form == LAZ_OCI_PROCESS ? root : laz_oci_member(spec, root, "process");
}

/* An id; absent and null are 0. */
static int read_id(const struct laz_oci_spec *spec, const struct laz_json_node *user,
        const char *key, uint32_t *ret, struct laz_err *err)
{
    const struct laz_json_node *node = laz_oci_member(spec, user, key);
    uint64_t number = 0;
    if (node != NULL && !laz_json_number(&spec->doc, node, UINT32_MAX, &number)) {
        return laz_err_set(err, LAZ_E_OCI, 0, "%s: %suser.%s: not a number of 32 bits",
                file_of(spec->form), spec->form == LAZ_OCI_CONFIG ? "process." : "", key);
    }
    *ret = (uint32_t)number;
    return 0;
}

int laz_oci_process(
        const struct laz_oci_spec *spec, struct laz_oci_process *ret, struct laz_err *err)
{
    const struct laz_json_node *node = process_of(spec);
    const struct laz_json_node *user = laz_oci_member(spec, node, "user");
    struct laz_oci_process process = {
            .node = node,
            .args = laz_oci_member(spec, node, "args"),
            .env = laz_oci_member(spec, node, "env"),
            .cwd = laz_oci_member(spec, node, "cwd"),
            .capabilities = laz_oci_member(spec, node, "capabilities"),
            .rlimits = laz_oci_member(spec, node, "rlimits"),
            .apparmor = laz_oci_member(spec, node, "apparmorProfile"),
            .selinux = laz_oci_member(spec, node, "selinuxLabel"),
            .groups = laz_oci_member(spec, user, "additionalGids"),
            .has_umask = laz_oci_member(spec, user, "umask") != NULL,
            .has_no_new_privileges = laz_oci_member(spec, node, "noNewPrivileges") != NULL,
            .no_new_privileges = is_true(laz_oci_member(spec, node, "noNewPrivileges")),
            .terminal = is_true(laz_oci_member(spec, node, "terminal")),
    };
    if (read_id(spec, user, "uid", &process.uid, err) < 0 ||
            read_id(spec, user, "gid", &process.gid, err) < 0 ||
            read_id(spec, user, "umask", &process.umask, err) < 0) {
        return -1;
    }
    *ret = process;
    return 0;
}

const char *laz_oci_capability_set_name(enum laz_oci_capability_set set)
{
    static const char *const names[LAZ_OCI_CAPABILITY_SETS] = {
            [LAZ_OCI_BOUNDING] = "bounding",
            [LAZ_OCI_EFFECTIVE] = "effective",
            [LAZ_OCI_INHERITABLE] = "inheritable",
            [LAZ_OCI_PERMITTED] = "permitted",
            [LAZ_OCI_AMBIENT] = "ambient",
    };
    return names[set];
}

const struct laz_json_node *laz_oci_capabilities(
        const struct laz_oci_spec *spec, enum laz_oci_capability_set set)
{
    return laz_oci_member(spec, laz_oci_member(spec, process_of(spec), "capabilities"),
            laz_oci_capability_set_name(set));
}

bool laz_oci_is_variable(
        const struct laz_oci_spec *spec, const struct laz_json_node *entry, const char *name)
{
    char start[VARIABLE_SIZE];
    size_t length = strlen(name);
    if (length + 2 > sizeof(start)) {
        return false;
    }
    (void)memcpy(start, name, length);
    start[length] = '=';
    start[length + 1] = '\0';
    return laz_json_begins(&spec->doc, entry, start);
}

const struct laz_json_node *laz_oci_environment(const struct laz_oci_spec *spec, const char *name)
{
    const struct laz_json_node *env = laz_oci_member(spec, process_of(spec), "env");
    const struct laz_json_node *found = NULL;
    for (const struct laz_json_node *entry = laz_json_next(&spec->doc, env, NULL); entry != NULL;
            entry = laz_json_next(&spec->doc, env, entry)) {
        found = laz_oci_is_variable(spec, entry, name) ? entry : found;
    }
    return found;
}

/* ---- the container ---- */

struct laz_oci_container laz_oci_container(const struct laz_oci_spec *spec)
{
    const struct laz_json_node *root =
            spec->form == LAZ_OCI_CONFIG ? laz_json_root(&spec->doc) : NULL;
    const struct laz_json_node *files = laz_oci_member(spec, root, "root");
    const struct laz_json_node *node = laz_oci_member(spec, root, "linux");
    const struct laz_json_node *resources = laz_oci_member(spec, node, "resources");
    return (struct laz_oci_container){
            .root_path = laz_oci_member(spec, files, "path"),
            .root_readonly = is_true(laz_oci_member(spec, files, "readonly")),
            .hostname = laz_oci_member(spec, root, "hostname"),
            .mounts = laz_oci_member(spec, root, "mounts"),
            .hooks = laz_oci_member(spec, root, "hooks"),
            .annotations = laz_oci_member(spec, root, "annotations"),
            .linux_node = node,
            .namespaces = laz_oci_member(spec, node, "namespaces"),
            .devices = laz_oci_member(spec, node, "devices"),
            .device_rules = laz_oci_member(spec, resources, "devices"),
            .resources = resources,
            .seccomp = laz_oci_member(spec, node, "seccomp"),
            .masked_paths = laz_oci_member(spec, node, "maskedPaths"),
            .readonly_paths = laz_oci_member(spec, node, "readonlyPaths"),
            .cgroups_path = laz_oci_member(spec, node, "cgroupsPath"),
            .sysctl = laz_oci_member(spec, node, "sysctl"),
    };
}

struct laz_oci_mount laz_oci_mount(
        const struct laz_oci_spec *spec, const struct laz_json_node *node)
{
    return (struct laz_oci_mount){
            .node = node,
            .destination = laz_oci_member(spec, node, "destination"),
            .type = laz_oci_member(spec, node, "type"),
            .source = laz_oci_member(spec, node, "source"),
            .options = laz_oci_member(spec, node, "options"),
    };
}

struct laz_oci_hook laz_oci_hook(const struct laz_oci_spec *spec, const struct laz_json_node *node)
{
    return (struct laz_oci_hook){
            .node = node,
            .path = laz_oci_member(spec, node, "path"),
            .args = laz_oci_member(spec, node, "args"),
            .env = laz_oci_member(spec, node, "env"),
            .timeout = laz_oci_member(spec, node, "timeout"),
    };
}

const char *laz_oci_stage_name(enum laz_oci_stage stage)
{
    static const char *const names[LAZ_OCI_STAGES] = {
            [LAZ_OCI_PRESTART] = "prestart",
            [LAZ_OCI_CREATE_RUNTIME] = "createRuntime",
            [LAZ_OCI_CREATE_CONTAINER] = "createContainer",
            [LAZ_OCI_START_CONTAINER] = "startContainer",
            [LAZ_OCI_POSTSTART] = "poststart",
            [LAZ_OCI_POSTSTOP] = "poststop",
    };
    return names[stage];
}

const struct laz_json_node *laz_oci_hooks(const struct laz_oci_spec *spec, enum laz_oci_stage stage)
{
    return laz_oci_member(spec, laz_oci_container(spec).hooks, laz_oci_stage_name(stage));
}

const struct laz_json_node *laz_oci_annotation(const struct laz_oci_spec *spec, const char *key)
{
    return laz_oci_member(spec, laz_oci_container(spec).annotations, key);
}
