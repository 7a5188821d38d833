/* SPDX-License-Identifier: Apache-2.0
 *
 * What --undo would leave behind: an engine that does not know the runtime of a container any more
 * does not stop it, and takes it for gone; and nobody judges what comes into it. Whose a container
 * is, is seen by the root that its engine gives to the runtime.
 */
#include "cli/install.h"
#include "oci/record.h"

struct left {
    const char *engine;
    size_t n;
    size_t max;
    struct laz_err *errors;
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* podman gives none. NULL: anybody's. */
static const char *engine_of(const char *root)
{
    if (root == NULL) {
        return NULL;
    }
    if (begins(root, "/run/containerd/") || begins(root, "/var/run/containerd/")) {
        return laz_install_containerd.name;
    }
    return root[0] == '\0'                      ? laz_install_podman.name
            : strstr(root, "/runtime-") != NULL ? laz_install_docker.name
                                                : NULL;
}

static void take(void *data, const char *root, const char *id)
{
    struct left *left = data;
    const char *engine = engine_of(root);
    if (left->engine != NULL && engine != NULL && strcmp(left->engine, engine) != 0) {
        return;
    }
    if (left->n++ < left->max) {
        (void)laz_err_set(&left->errors[left->n - 1], LAZ_E_CONTAINERS_LEFT, 0,
                "container %.200s is still there (%s%.200s)", id,
                root == NULL              ? "its runtime's root is not known"
                        : root[0] == '\0' ? "no --root: podman's, or made by hand"
                                          : "--root ",
                root == NULL ? "" : root);
    }
}

size_t laz_install_left(const char *engine, struct laz_err *ret, size_t max)
{
    struct laz_err err = {0};
    struct left left = {.engine = engine, .max = max, .errors = ret};
    if (laz_oci_containers(LAZ_OCI_RECORD_FOLDER, take, &left, &err) < 0) {
        ret[0] = err;
        return 1;
    }
    if (left.n > max) {
        ret[max - 1] = (struct laz_err){0};
        (void)laz_err_set(&ret[max - 1], LAZ_E_CONTAINERS_LEFT, 0,
                "and %zu more containers are still there", left.n - max + 1);
    }
    return left.n < max ? left.n : max;
}
