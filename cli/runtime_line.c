/* SPDX-License-Identifier: Apache-2.0
 *
 * One word of the host's file is exchanged for another, at the place where the parser found it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cli/install.h"
#include "cli/install_divert.h"
#include "core/fd.h"
#include "core/replace.h"
#include "policy/runtime.h"

static const char file_name[] = "runtime.yaml";

/* NULL in *ret: there is no such file. */
static int load(struct laz_runtime **ret, struct laz_err *err)
{
    const struct laz_policy_source source = {.path = LAZ_RUNTIME_FILE, .check_ownership = true};
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    if (diagnostics == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the host's file");
    }
    struct laz_err why = {0};
    int result = laz_runtime_load(&source, diagnostics, ret, &why);
    free(diagnostics);
    return result == 0 || why.kind == LAZ_E_HOST_ABSENT
            ? 0
            : laz_err_set(err, why.kind, why.sys_errno, "%s", why.message);
}

static int refuse(struct laz_err *err, const char *what, const char *program)
{
    return laz_err_set(
            err, LAZ_E_ENGINE_FILE, 0, LAZ_RUNTIME_FILE ": %s %s by hand", what, program);
}

int laz_runtime_line_look(const char *program, bool *ret_is_free, struct laz_err *err)
{
    struct laz_runtime *runtime = NULL;
    int result = load(&runtime, err);
    if (result < 0 || runtime == NULL) {
        *ret_is_free = true;
        return result;
    }
    for (size_t i = 0; i < runtime->n_names && result == 0; i++) {
        if (strcmp(runtime->names[i].program, program) == 0) {
            result = refuse(
                    err, "runtime-by-name has a program that is to be diverted: change", program);
        }
    }
    *ret_is_free = strcmp(runtime->program, program) != 0;
    laz_runtime_free(runtime);
    return result;
}

/* Where the value begins, without a quote; SIZE_MAX: it is written in another way. */
static size_t find(const struct laz_runtime *runtime, const char *from)
{
    const char *text = runtime->file.text;
    size_t length = runtime->file.length;
    size_t at = 0;
    for (uint32_t line = 1; line < runtime->program_pos.line && at < length; line++) {
        const char *end = memchr(text + at, '\n', length - at);
        at = end == NULL ? length : (size_t)(end + 1 - text);
    }
    at += runtime->program_pos.col - 1;
    at += at < length && (text[at] == '"' || text[at] == '\'') ? 1 : 0;
    return at < length && length - at >= strlen(from) && memcmp(text + at, from, strlen(from)) == 0
            ? at
            : SIZE_MAX;
}

static int write_text(const struct laz_runtime *runtime, size_t at, const char *from,
        const char *to, struct laz_err *err)
{
    struct stat status;
    laz_cleanup_fd int held = -1;
    unsigned unused = 0;
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_INSTALL_FILE_MAX);
    laz_buf_put(&text, runtime->file.text, at);
    laz_buf_str(&text, to);
    at += strlen(from);
    laz_buf_put(&text, runtime->file.text + at, runtime->file.length - at);
    if (text.overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for " LAZ_RUNTIME_FILE);
    }
    if (laz_install_folder(LAZ_RUNTIME_FILE, false, &held, &unused, err) < 0) {
        return -1;
    }
    laz_cleanup_fd int folder = openat(held, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || fstatat(folder, file_name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, LAZ_RUNTIME_FILE ": %s", strerror(errno));
    }
    const struct laz_replace how = {.mode = status.st_mode & 07777U,
            .has_owner = true,
            .uid = status.st_uid,
            .gid = status.st_gid,
            .sync = true};
    laz_install_sweep(folder, file_name);
    return laz_replace_at(folder, file_name, &how, text.data, text.len, err) < 0
            ? laz_err_context(err, LAZ_RUNTIME_FILE)
            : 0;
}

int laz_runtime_line_change(const char *from, const char *to, struct laz_err *err)
{
    struct laz_runtime *runtime = NULL;
    int result = load(&runtime, err);
    if (runtime != NULL && strcmp(runtime->program, from) == 0) {
        size_t at = find(runtime, from);
        result = at == SIZE_MAX
                ? refuse(err, "the value of `runtime` is not written plainly: make it", to)
                : write_text(runtime, at, from, to, err);
    }
    laz_runtime_free(runtime);
    return result;
}
