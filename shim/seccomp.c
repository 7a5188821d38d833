/* SPDX-License-Identifier: Apache-2.0
 *
 * Two profiles cannot be made one in the words of OCI: the engine's stays, loses names, or goes.
 */
#include "shim/seccomp.h"

#include <stdlib.h>
#include <string.h>

#include "core/json_read.h"

#define NAME_SIZE 64 /* of a system call */
#define NAMES_MAX 1024

/* The calls that a profile of ours lets happen, for some arguments at least. */
struct names {
    size_t n;
    char items[NAMES_MAX][NAME_SIZE];
};

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int add_names(const struct laz_json_doc *doc, const struct laz_json_node *rule,
        struct names *ret, struct laz_err *err)
{
    const struct laz_json_node *node = NULL;
    const struct laz_json_node *names = laz_json_member(doc, rule, "names");
    while ((node = laz_json_next(doc, names, node)) != NULL) {
        if (ret->n == NAMES_MAX || !laz_json_copy(doc, node, ret->items[ret->n], NAME_SIZE)) {
            return laz_err_set(err, LAZ_E_INTERNAL, 0, "the policy's own seccomp profile");
        }
        ret->n++;
    }
    return 0;
}

static int read_names(const struct laz_buf *profile, struct names *ret, struct laz_err *err)
{
    struct laz_json_doc doc;
    struct laz_json_room room = {.kind = LAZ_E_INTERNAL};
    room.max = laz_json_nodes_max(profile->len);
    room.nodes = calloc(room.max, sizeof(*room.nodes));
    if (room.nodes == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a seccomp profile");
    }
    int result = laz_json_read(profile->data, profile->len, &room, &doc, err);
    const struct laz_json_node *rules =
            result == 0 ? laz_json_member(&doc, laz_json_root(&doc), "syscalls") : NULL;
    const struct laz_json_node *rule = NULL;
    while (result == 0 && (rule = laz_json_next(&doc, rules, rule)) != NULL) {
        if (laz_json_is(&doc, laz_json_member(&doc, rule, "action"), "SCMP_ACT_ALLOW")) {
            result = add_names(&doc, rule, ret, err);
        }
    }
    free(room.nodes);
    qsort(ret->items, ret->n, NAME_SIZE, compare);
    return result;
}

static bool is_among(void *context, const char *name)
{
    const struct names *names = context;
    return bsearch(name, names->items, names->n, NAME_SIZE, compare) != NULL;
}

static int narrow(struct laz_oci_change *change, const struct laz_buf *profile, struct laz_err *err)
{
    struct names *names = calloc(1, sizeof(*names));
    if (names == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a seccomp profile");
    }
    int result = read_names(profile, names, err);
    if (result == 0) {
        result = laz_oci_narrow_seccomp(change, is_among, names, err);
    }
    free(names);
    return result;
}

bool laz_seccomp_needs_profile(const struct laz_oci_spec *spec, const struct laz_policy_host *host)
{
    return host->seccomp != LAZ_HOST_SECCOMP_KEEP || !laz_oci_seccomp_refuses(spec);
}

int laz_seccomp_put(struct laz_oci_change *change, const struct laz_policy_host *host,
        const struct laz_buf *profile, struct laz_err *err)
{
    bool is_engines =
            host->seccomp != LAZ_HOST_SECCOMP_EVENTS && laz_oci_seccomp_refuses(change->spec);
    /* What it names may be a call that nobody makes: it is as good as none, and says that it is
     * one. */
    if (is_engines && !laz_oci_seccomp_refuses_by_default(change->spec)) {
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "a seccomp profile that lets happen what it does not name (host.seccomp)");
    }
    if (is_engines) {
        return host->seccomp == LAZ_HOST_SECCOMP_NARROW ? narrow(change, profile, err) : 0;
    }
    size_t length = profile->len; /* a file ends with a line feed, a value does not */
    while (length > 0 && profile->data[length - 1] == '\n') {
        length--;
    }
    return laz_oci_set_seccomp(change, profile->data, length, err);
}
