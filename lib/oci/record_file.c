/* SPDX-License-Identifier: Apache-2.0
 *
 * Records in their folder: root's alone, from its first part that is ours. Whoever runs us is who
 * they have to belong to, so that tests need not be root.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/replace.h"
#include "oci/record.h"

#define NAME_SIZE (LAZ_OCI_ID_MAX + 8)

static int fail(struct laz_err *err, const char *what, const char *path)
{
    return laz_err_set(err, LAZ_E_OCI_STATE, errno, "%.200s: %s: %s", path, what, strerror(errno));
}

static int check_owner(const struct stat *is, const char *path, struct laz_err *err)
{
    if (is->st_uid != geteuid() || (is->st_mode & 022) != 0) {
        return laz_err_set(err, LAZ_E_OCI_STATE, 0,
                "%.200s: belongs to user %u with mode %o, and others could write there", path,
                is->st_uid, is->st_mode & 07777U);
    }
    return 0;
}

/* A folder in a folder; -1 in *ret: there is none. */
static int open_folder(int parent, const char *name, bool create, int *ret, struct laz_err *err)
{
    struct stat is;
    if (create && mkdirat(parent, name, 0700) < 0 && errno != EEXIST) {
        return fail(err, "mkdir", name);
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && !create) {
        *ret = -1;
        return 0;
    }
    if (fd < 0) {
        return fail(
                err, errno == ENOTDIR || errno == ELOOP ? "a link, or no folder" : "open", name);
    }
    int result = fstat(fd, &is) < 0 ? fail(err, "fstat", name) : check_owner(&is, name, err);
    if (result < 0) {
        laz_fd_close(&fd);
        return -1;
    }
    *ret = fd;
    return 0;
}

int laz_oci_record_folder(
        const char *base, const char *root_hash, bool create, int *ret, struct laz_err *err)
{
    int folder = -1;
    if (root_hash[0] == '\0' || strspn(root_hash, "0123456789abcdef") != strlen(root_hash)) {
        return laz_err_set(err, LAZ_E_OCI_STATE, 0, "not the hash of a runtime's root");
    }
    if (open_folder(AT_FDCWD, base, create, &folder, err) < 0) {
        return -1;
    }
    if (folder < 0) {
        *ret = -1;
        return 0;
    }
    int result = open_folder(folder, root_hash, create, ret, err);
    laz_fd_close(&folder);
    return result;
}

static int put_name(const char *id, char ret[NAME_SIZE], struct laz_err *err)
{
    if (!laz_oci_is_id(id)) {
        return laz_err_set(err, LAZ_E_OCI_STATE, 0, "not the name of a container");
    }
    (void)laz_format(ret, NAME_SIZE, "%s.json", id);
    return 0;
}

int laz_oci_record_save(
        int folder, const char *id, const struct laz_oci_record *record, struct laz_err *err)
{
    static const struct laz_replace how = {.mode = 0600};
    char name[NAME_SIZE];
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_OCI_RECORD_MAX);
    if (put_name(id, name, err) < 0 || laz_oci_record_write(record, &text, err) < 0) {
        return -1;
    }
    return laz_replace_at(folder, name, &how, text.data, text.len, err) < 0
            ? laz_err_context(err, "record of %s", id)
            : 0;
}

int laz_oci_record_load(int folder, const char *id, struct laz_oci_record *ret, bool *ret_found,
        struct laz_err *err)
{
    char name[NAME_SIZE];
    struct stat is;
    struct laz_err why = {0};
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_OCI_RECORD_MAX);
    if (put_name(id, name, err) < 0) {
        return -1;
    }
    if (laz_read_at(folder, name, &text, &is, &why) < 0) {
        *ret_found = false;
        return why.sys_errno == ENOENT ? 0
                                       : laz_err_set(err, LAZ_E_OCI_STATE, why.sys_errno,
                                                 "record of %s: %s", id, why.message);
    }
    if (check_owner(&is, name, err) < 0 ||
            laz_oci_record_read(text.data == NULL ? "" : text.data, text.len, ret, err) < 0) {
        return laz_err_context(err, "record of %s", id);
    }
    *ret_found = true;
    return 0;
}

int laz_oci_record_remove(int folder, const char *id, struct laz_err *err)
{
    char name[NAME_SIZE];
    if (put_name(id, name, err) < 0) {
        return -1;
    }
    return unlinkat(folder, name, 0) < 0 && errno != ENOENT ? fail(err, "unlink", name) : 0;
}
