/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of secrets.d, by the rules of hooks/deliver.c; their content is not read.
 */
#include "cli/runtime_secrets.h"

#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/fd.h"
#include "core/rooted.h"
#include "policy/host_policy.h"

#define PATH_SIZE 4096

/* What a file has to be beside root's. */
static int judge(int fd, const char *path, struct laz_err *err)
{
    const long long most = 2LL * LAZ_FETCH_VALUE_MAX;
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "%s cannot be looked at", path);
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0,
                "%s may be read by others than root, mode %04o", path, status.st_mode & 07777U);
    }
    if (status.st_nlink != 1) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%s has %u names, and may have one", path,
                (unsigned)status.st_nlink);
    }
    return status.st_size > 0 && status.st_size <= most
            ? 0
            : laz_err_set(err, LAZ_E_SECRET, 0, "%s has %lld bytes, and may have 1 to %lld", path,
                      (long long)status.st_size, most);
}

int laz_runtime_secret_check(const struct laz_policy *policy, size_t item, const char *name,
        bool *ret_absent, struct laz_err *err)
{
    char path[PATH_SIZE];
    struct laz_buf text;
    struct laz_err why = {0};
    laz_cleanup_fd int fd = -1;
    const struct laz_fetch_item *wanted = &policy->secrets.config.items[item];
    const size_t length = strlen(LAZ_HOST_SECRETS "/");
    *ret_absent = false;
    if (wanted->source != LAZ_SECRET_FILE ||
            strncmp(wanted->from, LAZ_HOST_SECRETS "/", length) != 0) {
        return 0;
    }
    laz_buf_init_fixed(&text, path, sizeof(path));
    laz_buf_printf(&text, LAZ_HOST_SECRETS_SOURCE "/%s/%s", name, wanted->from + length);
    if (laz_rooted_open(path, &fd, &why) == 0) {
        return judge(fd, path, err);
    }
    *ret_absent = why.kind == LAZ_E_HOST_ABSENT;
    return *ret_absent && wanted->optional ? 0
                                           : laz_err_set(err, *ret_absent ? LAZ_E_SECRET : why.kind,
                                                     why.sys_errno, "%s", why.message);
}
