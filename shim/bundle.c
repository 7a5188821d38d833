/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder is held, so that what is written is beside what was read.
 */
#include "shim/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/replace.h"

#define CONFIG    "config.json"
#define MODE_BITS 07777U

int laz_bundle_open(const char *path, struct laz_bundle *ret, struct laz_err *err)
{
    *ret = (struct laz_bundle){.folder = -1};
    laz_buf_init_heap(&ret->text, LAZ_OCI_TEXT_MAX + 1);
    ret->folder = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret->folder < 0) {
        return laz_err_set(err, LAZ_E_OCI, errno, "bundle %s: %s", path, strerror(errno));
    }
    if (laz_read_at(ret->folder, CONFIG, &ret->text, &ret->status, err) < 0) {
        err->kind = LAZ_E_OCI; /* what it is, too, is whose who made it */
        return laz_err_context(err, "%s/" CONFIG, path);
    }
    if (laz_oci_spec_open(ret->text.data, ret->text.len, LAZ_OCI_CONFIG, &ret->spec, err) < 0 ||
            laz_oci_process(&ret->spec, &ret->process, err) < 0) {
        return -1;
    }
    ret->container = laz_oci_container(&ret->spec);
    return 0;
}

int laz_bundle_write(struct laz_bundle *bundle, const struct laz_buf *text, struct laz_err *err)
{
    const struct laz_replace how = {
            .mode = bundle->status.st_mode & MODE_BITS,
            .has_owner = true,
            .uid = bundle->status.st_uid,
            .gid = bundle->status.st_gid,
    };
    if (text->len == bundle->text.len && memcmp(text->data, bundle->text.data, text->len) == 0) {
        return 0;
    }
    if (laz_replace_at(bundle->folder, CONFIG, &how, text->data, text->len, err) < 0) {
        return laz_err_context(err, CONFIG);
    }
    return 0;
}

void laz_bundle_done(struct laz_bundle *bundle)
{
    laz_oci_spec_done(&bundle->spec);
    laz_buf_done(&bundle->text);
    laz_fd_close(&bundle->folder);
}
