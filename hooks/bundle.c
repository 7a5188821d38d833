/* SPDX-License-Identifier: Apache-2.0
 *
 * Bundles. The engine made the folder, so it has to be root's; the image made what is in the root.
 */
#include "hooks/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/resolve.h"
#include "core/roots.h"
#include "oci/values.h"

static int fail(struct laz_err *err, const char *what)
{
    return laz_err_set(err, LAZ_E_BUNDLE, errno, "%.300s: %s", what, laz_err_errno_name(errno));
}

/* ---- the bundle ---- */

/* Docker's is below /var/run, which is a link of root's: the path may have some, what it leads to
 * is judged. */
static int open_folder(const char *path, struct laz_hook_bundle *bundle, struct laz_err *err)
{
    if (!laz_resolve_is_plain(path)) { /* runtimes make it so before they hand it on */
        return laz_err_set(err, LAZ_E_BUNDLE, 0, "\"%.200s\" is no plain path of a bundle", path);
    }
    bundle->folder = laz_resolve_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, RESOLVE_NO_MAGICLINKS);
    if (bundle->folder < 0) {
        return fail(err, path);
    }
    return laz_roots_folder(bundle->folder, path, err);
}

static int read_config(struct laz_hook_bundle *bundle, struct laz_err *err)
{
    static const char name[] = "config.json";
    struct stat status;
    struct laz_err why = {0};
    laz_cleanup_fd int fd = laz_resolve_open(bundle->folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY,
            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return fail(err, name);
    }
    if (laz_roots_file(fd, name, err) < 0) {
        return -1;
    }
    if (status.st_size > (off_t)LAZ_OCI_TEXT_MAX) {
        return laz_err_set(err, LAZ_E_BUNDLE, 0, "%s: more than %zu bytes", name, LAZ_OCI_TEXT_MAX);
    }
    size_t size =
            (size_t)status.st_size + 1; /* of what is written to it meanwhile, the first byte */
    bundle->text = malloc(size);
    if (bundle->text == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "no memory for %s", name);
    }
    if (laz_fd_read_all(fd, bundle->text, size, &bundle->length, &why) < 0) {
        return laz_err_set(err, LAZ_E_BUNDLE, why.sys_errno, "%s: %.400s", name, why.message);
    }
    return laz_oci_spec_open(bundle->text, bundle->length, LAZ_OCI_CONFIG, &bundle->config, err);
}

/* ---- its root ---- */

/* Relative to the bundle, and inside it; or absolute, as Docker and podman have it. */
static int open_root(struct laz_hook_bundle *bundle, struct laz_err *err)
{
    struct laz_oci_container container = laz_oci_container(&bundle->config);
    char *path = bundle->root_path;
    if (!laz_json_copy(&bundle->config.doc, container.root_path, path, LAZ_HOOK_PATH_SIZE) ||
            path[0] == '\0') {
        return laz_err_set(err, LAZ_E_BUNDLE, 0, "config.json: root.path is no path");
    }
    bool is_absolute = path[0] == '/';
    bundle->root = laz_resolve_open(bundle->folder, path, O_PATH | O_DIRECTORY,
            RESOLVE_NO_SYMLINKS | (is_absolute ? 0 : RESOLVE_BENEATH));
    if (bundle->root < 0 || fstat(bundle->root, &bundle->root_status) < 0) {
        return fail(err, path);
    }
    struct stat host;
    if (stat("/", &host) < 0 ||
            (host.st_dev == bundle->root_status.st_dev &&
                    host.st_ino == bundle->root_status.st_ino)) {
        return laz_err_set(err, LAZ_E_BUNDLE, 0, "config.json: root.path is the host's own root");
    }
    laz_cleanup_fd int above =
            openat(bundle->root, "..", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return above < 0 ? fail(err, path) : laz_roots_folder(above, "the folder of root.path", err);
}

int laz_hook_bundle_open(const char *path, struct laz_hook_bundle *ret, struct laz_err *err)
{
    *ret = (struct laz_hook_bundle){.folder = -1, .root = -1};
    return open_folder(path, ret, err) < 0 || read_config(ret, err) < 0 ||
                    laz_oci_process(&ret->config, &ret->process, err) < 0 || open_root(ret, err) < 0
            ? -1
            : 0;
}

void laz_hook_bundle_done(struct laz_hook_bundle *bundle)
{
    laz_oci_spec_done(&bundle->config);
    laz_fd_close(&bundle->folder);
    laz_fd_close(&bundle->root);
    free(bundle->text);
    bundle->text = NULL;
}

int laz_hook_bundle_enter(
        const struct laz_hook_bundle *bundle, const char *path, int *ret, struct laz_err *err)
{
    int fd = laz_resolve_open(bundle->root, path, O_PATH | O_DIRECTORY,
            RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    if (fd < 0) {
        return fail(err, path);
    }
    *ret = fd;
    return 0;
}

/* ---- what is mounted ---- */

/* runc and crun make a bind mount of whatever has this option, whichever type it says. */
static bool is_bound(const struct laz_hook_bundle *bundle, const struct laz_json_node *options)
{
    const struct laz_oci_spec *config = &bundle->config;
    const struct laz_json_node *option = NULL;
    while (options != NULL && (option = laz_json_next(&config->doc, options, option)) != NULL) {
        if (laz_oci_is(config, option, "bind") || laz_oci_is(config, option, "rbind")) {
            return true;
        }
    }
    return false;
}

bool laz_hook_bundle_declares(const struct laz_hook_bundle *bundle, const char *destination)
{
    const struct laz_oci_spec *config = &bundle->config;
    const struct laz_json_node *mounts = laz_oci_container(config).mounts;
    const struct laz_json_node *node = NULL;
    char place[LAZ_HOOK_PATH_SIZE];
    bool is_fresh = false;
    while (mounts != NULL && (node = laz_json_next(&config->doc, mounts, node)) != NULL) {
        struct laz_oci_mount mount = laz_oci_mount(config, node);
        if (!laz_oci_clean_path(config, mount.destination, place, sizeof(place))) {
            return false;
        }
        bool is_there = strcmp(place, destination) == 0;
        if (is_fresh && laz_oci_is_above(destination, place)) {
            return false;
        }
        if (is_there &&
                (!laz_oci_is(config, mount.type, "tmpfs") || is_bound(bundle, mount.options))) {
            return false;
        }
        is_fresh = is_fresh || is_there;
    }
    return is_fresh;
}
