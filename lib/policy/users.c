/* SPDX-License-Identifier: Apache-2.0
 *
 * Users and groups by name, from the image's own /etc/passwd and /etc/group. Read directly: a
 * static program has no NSS, and must not load code from the image to get it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"
#include "core/resolve.h"
#include "policy/merge.h"
#include "policy/scalar.h"

#define DATABASE_MAX 1048576          /* bytes; an image's passwd file has a few thousand */
#define ID_MAX       (UINT32_MAX - 1) /* the last one means "no change" to the kernel */

static int read_database(const struct laz_policy_source *source, const char *path, char **ret_text,
        struct laz_err *err)
{
    const char *root = source->root == NULL ? "" : source->root;
    laz_cleanup_fd int fd =
            laz_resolve_open_in(root, path + strlen(root), O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return laz_err_set(
                err, LAZ_E_POLICY_INVALID, errno, "cannot read %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode) || status.st_size > DATABASE_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "%s is not a regular file of at most %d bytes", path, DATABASE_MAX);
    }
    size_t size = (size_t)status.st_size;
    char *text = calloc(1, size + 1);
    if (text == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for %s", path);
    }
    size_t length = 0;
    if (laz_fd_read_all(fd, text, size, &length, err) < 0) {
        free(text);
        return -1;
    }
    *ret_text = text;
    return 0;
}

/* Field number n of a line of colon-separated fields. */
static bool take_number(const char *line, unsigned n, uint32_t *ret)
{
    for (; n > 0; n--) {
        size_t length = strcspn(line, ":\n");
        if (line[length] != ':') {
            return false;
        }
        line += length + 1;
    }
    uint64_t number = 0;
    if (!laz_parse_u64(line, strcspn(line, ":\n"), ID_MAX, &number)) {
        return false;
    }
    *ret = (uint32_t)number;
    return true;
}

/* The line of a name, or NULL. */
static const char *find_line(const char *text, const char *name, size_t length)
{
    const char *line = text;
    while (line != NULL && (strncmp(line, name, length) != 0 || line[length] != ':')) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return line;
}

/* A user or group to look up. */
struct query {
    const struct laz_policy_source *source;
    const char *path; /* of the database, or NULL */
    const char *what;
    const char *name;
    size_t length;
};

/* Field 2 of the name's line is the id, field 3 of passwd the user's group, which may not be
 * wanted. */
static int look_up(
        const struct query *query, uint32_t *ret_id, uint32_t *ret_gid, struct laz_err *err)
{
    const char *path = query->path;
    const char *what = query->what;
    struct laz_quoted quoted;
    (void)laz_quote(&quoted, query->name, query->length);
    if (path == NULL) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "%s %s cannot be looked up here: write its number", what, quoted.text);
    }
    char *text = NULL;
    if (read_database(query->source, path, &text, err) < 0) {
        return laz_err_context(err, "%s %s", what, quoted.text);
    }
    const char *line = find_line(text, query->name, query->length);
    int result = 0;
    if (line == NULL) {
        result = laz_err_set(
                err, LAZ_E_POLICY_INVALID, 0, "unknown %s %s in %s", what, quoted.text, path);
    } else if (!take_number(line, 2, ret_id) ||
            (ret_gid != NULL && !take_number(line, 3, ret_gid))) {
        result = laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "the line of %s %s in %s is damaged",
                what, quoted.text, path);
    }
    free(text);
    return result;
}

static bool is_number(const char *text, size_t length)
{
    return length > 0 && strspn(text, "0123456789") >= length;
}

static int parse_id(const char *text, size_t length, uint32_t *ret, struct laz_err *err)
{
    uint64_t number = 0;
    if (!laz_parse_u64(text, length, ID_MAX, &number)) {
        struct laz_quoted quoted;
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be an id up to %u, not %s", ID_MAX,
                laz_quote(&quoted, text, length));
    }
    *ret = (uint32_t)number;
    return 0;
}

int laz_group_resolve(const struct laz_policy_source *source, const char *text, uint32_t *ret_gid,
        struct laz_err *err)
{
    size_t length = strlen(text);
    if (is_number(text, length)) {
        return parse_id(text, length, ret_gid, err);
    }
    const struct query query = {source, source->group_path, "group", text, length};
    return look_up(&query, ret_gid, NULL, err);
}

int laz_user_resolve(const struct laz_policy_source *source, const char *text, uint32_t *ret_uid,
        uint32_t *ret_gid, struct laz_err *err)
{
    size_t length = strcspn(text, ":");
    bool has_group = text[length] == ':';
    const char *group = text + length + (has_group ? 1 : 0);
    uint32_t uid = 0;
    uint32_t gid = 0;
    if (length == 0 || (has_group && *group == '\0') || strchr(group, ':') != NULL) {
        return laz_err_set(
                err, LAZ_E_POLICY_INVALID, 0, "must be \"uid:gid\", a user's name, or name:group");
    }
    if (is_number(text, length)) {
        if (!has_group) {
            return laz_scalar_refuse_lone_user(text, err);
        }
        if (parse_id(text, length, &uid, err) < 0) {
            return -1;
        }
    } else {
        const struct query query = {source, source->passwd_path, "user", text, length};
        if (look_up(&query, &uid, has_group ? NULL : &gid, err) < 0) {
            return -1;
        }
    }
    if (has_group && laz_group_resolve(source, group, &gid, err) < 0) {
        return -1;
    }
    *ret_uid = uid;
    *ret_gid = gid;
    return 0;
}
