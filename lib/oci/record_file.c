/* SPDX-License-Identifier: Apache-2.0
 *
 * Records in their folder: root's alone, from its first part that is ours. Whoever runs us is who
 * they have to belong to, so that tests need not be root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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
    static const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat is;
    int fd = openat(parent, name, flags);
    if (fd < 0 && errno == ENOENT && create) { /* the first time */
        if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST) {
            return fail(err, "mkdir", name);
        }
        fd = openat(parent, name, flags);
    }
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
    (void)laz_format(ret, NAME_SIZE, "%s" LAZ_OCI_RECORD_END, id);
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

/* ---- roots ---- */

int laz_oci_root_save(int folder, const char *root, struct laz_err *err)
{
    static const struct laz_replace how = {.mode = 0600};
    char line[LAZ_OCI_ROOT_SIZE + 1];
    if ((root[0] != '\0' && root[0] != '/') || strlen(root) >= LAZ_OCI_ROOT_SIZE ||
            faccessat(folder, LAZ_OCI_ROOT_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return 0;
    }
    int length = laz_format(line, sizeof(line), "%s\n", root);
    return laz_replace_at(folder, LAZ_OCI_ROOT_FILE, &how, line, (size_t)length, err) < 0
            ? laz_err_context(err, "the runtime's root")
            : 0;
}

bool laz_oci_root_has(const char *root, const char *id)
{
    static const char *const own[] = {"/run/runc", "/run/crun"}; /* where none is given */
    bool is = false;
    for (size_t i = 0; !is && i < (root[0] == '\0' ? sizeof(own) / sizeof(own[0]) : 1); i++) {
        char path[LAZ_OCI_ROOT_SIZE];
        is = laz_format(path, sizeof(path), "%s/%s", root[0] == '\0' ? own[i] : root, id) >=
                        (int)sizeof(path) ||
                access(path, F_OK) == 0 || errno != ENOENT;
    }
    return is;
}

/* ---- which containers there are ---- */

struct visit {
    laz_oci_container_fn *visit;
    void *data;
};

/* "" without a line: as if there were no file. */
static const char *read_root(int folder, struct laz_buf *text)
{
    struct stat status;
    struct laz_err unused = {0};
    if (laz_read_at(folder, LAZ_OCI_ROOT_FILE, text, &status, &unused) < 0 || text->len == 0 ||
            memchr(text->data, '\n', text->len) != text->data + text->len - 1) {
        return NULL;
    }
    text->data[text->len - 1] = '\0';
    return text->data;
}

/* The name of a record without its end; false: no record. */
static bool take_id(const char *name, char ret[LAZ_OCI_ID_MAX + 1])
{
    size_t length = strlen(name);
    size_t end = strlen(LAZ_OCI_RECORD_END);
    if (length <= end || length - end > LAZ_OCI_ID_MAX ||
            strcmp(name + length - end, LAZ_OCI_RECORD_END) != 0) {
        return false;
    }
    (void)laz_format(ret, LAZ_OCI_ID_MAX + 1, "%.*s", (int)(length - end), name);
    return laz_oci_is_id(ret);
}

static int visit_folder(
        int folder, const char *path, const struct visit *visit, struct laz_err *err)
{
    char id[LAZ_OCI_ID_MAX + 1];
    struct dirent **entries = NULL;
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_OCI_ROOT_SIZE);
    const char *root = read_root(folder, &text);
    int n = scandir(path, &entries, NULL, alphasort);
    int result = n < 0 ? fail(err, "scandir", path) : 0;
    for (int i = 0; i < n; i++) {
        if (take_id(entries[i]->d_name, id) && (root == NULL || laz_oci_root_has(root, id))) {
            visit->visit(visit->data, root, id);
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}

static int visit_name(
        const char *base, const char *name, const struct visit *visit, struct laz_err *err)
{
    char path[LAZ_OCI_ROOT_SIZE];
    laz_cleanup_fd int folder = -1;
    if (strlen(name) != LAZ_OCI_ROOT_HASH_SIZE - 1U ||
            strspn(name, "0123456789abcdef") != strlen(name)) {
        return 0; /* what is prepared, images: of no container */
    }
    if (laz_oci_record_folder(base, name, false, &folder, err) < 0) {
        return -1;
    }
    (void)laz_format(path, sizeof(path), "%s/%s", base, name);
    return folder < 0 ? 0 : visit_folder(folder, path, visit, err);
}

int laz_oci_containers(
        const char *base, laz_oci_container_fn *visit, void *data, struct laz_err *err)
{
    struct dirent **entries = NULL;
    const struct visit each = {.visit = visit, .data = data};
    int n = scandir(base, &entries, NULL, alphasort);
    int result = n < 0 && errno != ENOENT ? fail(err, "scandir", base) : 0;
    for (int i = 0; i < n; i++) {
        result = result < 0 ? result : visit_name(base, entries[i]->d_name, &each, err);
        free(entries[i]);
    }
    free(entries);
    return result;
}
