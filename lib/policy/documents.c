/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the policy's file and those that it extends: built-in ones from memory, others from the
 * directory of the named file and nowhere else. Each is parsed and checked once, where it is met
 * first.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "policy/builtin.h"
#include "policy/image.h"
#include "policy/load.h"

#define LINK_SHOWN 128 /* bytes of what a link leads to */

/* The part of a path behind its last slash. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* ---- One file ---- */

static int check_status(const struct laz_policy_source *source, const struct stat *status,
        const char *name, struct laz_err *err)
{
    if (!S_ISREG(status->st_mode)) {
        enum laz_err_kind kind =
                source->check_ownership ? LAZ_E_POLICY_UNSAFE : LAZ_E_POLICY_ABSENT;
        return laz_err_set(err, kind, 0, "%s is not a regular file", name);
    }
    if (status->st_size > LAZ_POLICY_FILE_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0, "%s is larger than %d bytes", name,
                LAZ_POLICY_FILE_MAX);
    }
    if (!source->check_ownership) {
        return 0;
    }
    if (status->st_uid != 0) { /* nor ours: we may be the workload's user */
        return laz_err_set(err, LAZ_E_POLICY_UNSAFE, 0, "%s belongs to user %u", name,
                (unsigned)status->st_uid);
    }
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return laz_err_set(err, LAZ_E_POLICY_UNSAFE, 0, "%s is writable by group or others", name);
    }
    return 0;
}

static int no_memory(const struct laz_file *file, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for %s", file->name);
}

/* errno tells why. */
static int refuse_opening(
        const struct laz_policy_source *source, const char *path, struct laz_err *err)
{
    int cause = errno;
    char target[LINK_SHOWN + 1] = "";
    if (cause == ELOOP && source->check_ownership) {
        return laz_err_set(err, LAZ_E_POLICY_UNSAFE, cause, "%s is a link", path);
    }
    if (cause == EACCES && source->only_directory && strcmp(path, source->path) != 0 &&
            readlink(path, target, LINK_SHOWN) > 0) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, cause,
                "%s is a link to %s, which cannot be read: lazaret-setup has no capabilities, and "
                "reads no file outside of the policy's directory",
                path, target);
    }
    return laz_err_set(
            err, LAZ_E_POLICY_ABSENT, cause, "cannot open %s: %s", path, strerror(cause));
}

static int read_file(struct laz_load *load, struct laz_file *file, struct laz_err *err)
{
    const struct laz_policy_source *source = load->source;
    const char *path = file->name;
    /* Not blocking: a FIFO in the place of a policy must not hang whoever starts a container. */
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    flags |= source->check_ownership ? O_NOFOLLOW : 0;
    laz_cleanup_fd int fd = open(path, flags);
    if (fd < 0) {
        return refuse_opening(source, path, err);
    }
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "fstat %s: %s", path, strerror(errno));
    }
    if (check_status(source, &status, path, err) < 0) {
        return -1;
    }
    size_t size = (size_t)status.st_size;
    file->text = laz_arena_take(&load->arena, size + 1, 1);
    if (file->text == NULL) {
        return no_memory(file, err);
    }
    if (laz_fd_read_all(fd, file->text, size, &file->length, err) < 0) {
        return -1;
    }
    size_t magic = sizeof(LAZ_IMAGE_MAGIC) - 1;
    if (file->length >= magic && memcmp(file->text, LAZ_IMAGE_MAGIC, magic) == 0) {
        return laz_err_set(err, LAZ_E_POLICY_COMPILED, 0, "%s is a compiled policy", path);
    }
    return 0;
}

static int copy_text(struct laz_load *load, struct laz_file *file, const char *text, size_t length,
        struct laz_err *err)
{
    if (length > LAZ_POLICY_FILE_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0, "%s is larger than %d bytes", file->name,
                LAZ_POLICY_FILE_MAX);
    }
    file->text = laz_arena_copy(&load->arena, text, length);
    file->length = length;
    return file->text == NULL ? no_memory(file, err) : 0;
}

/* ---- Built-in policies ---- */

static int take_builtin(struct laz_load *load, struct laz_file *file, struct laz_err *err)
{
    const char *name = file->name;
    file->is_builtin = true;
    for (size_t i = 0; i < laz_builtin_count; i++) {
        if (strcmp(laz_builtins[i].name, name) == 0) {
            return copy_text(
                    load, file, (const char *)laz_builtins[i].text, laz_builtins[i].size, err);
        }
    }
    struct laz_quoted quoted;
    struct laz_buf list;
    char known[LAZ_QUOTED_MAX];
    laz_buf_init_fixed(&list, known, sizeof(known));
    for (size_t i = 0; i < laz_builtin_count; i++) {
        laz_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", laz_builtins[i].name);
    }
    return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "unknown built-in policy %s; there are %s",
            laz_quote(&quoted, name, strlen(name)), known);
}

/* "python" is a file of this directory, and most likely meant as "builtin/python". */
static const char *suggest_builtin(const char *name)
{
    for (size_t i = 0; i < laz_builtin_count; i++) {
        const char *builtin = laz_builtins[i].name;
        size_t length = strlen(name);
        const char *yaml = strstr(name, ".yaml");
        length = yaml == NULL ? length : (size_t)(yaml - name);
        if (strncmp(builtin + strlen("builtin/"), name, length) == 0 &&
                strlen(builtin) == strlen("builtin/") + length) {
            return builtin;
        }
    }
    return NULL;
}

/* ---- The files of one policy ---- */

/* Take file number n_files into the policy: read, parse, check. The caller reports err. */
static int take_file(struct laz_load *load, char *name, bool is_builtin, struct laz_err *err)
{
    struct laz_policy *policy = load->policy;
    uint16_t index = (uint16_t)policy->n_files;
    struct laz_file *file = &policy->files[index];
    file->name = name;
    policy->n_files++;
    int result = 0;
    if (is_builtin) {
        result = take_builtin(load, file, err);
    } else if (index == 0 && load->source->text != NULL) {
        result = copy_text(load, file, load->source->text, load->source->text_length, err);
    } else {
        result = read_file(load, file, err);
    }
    if (result < 0) {
        return -1;
    }
    load->total_bytes += file->length;
    if (load->total_bytes > LAZ_POLICY_TOTAL_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "with %s the files are larger than %d bytes together", name, LAZ_POLICY_TOTAL_MAX);
    }
    struct laz_document *document = &load->documents[index];
    document->file = index;
    if (laz_yaml_parse(file->text, file->length, index, &load->arena, &load->report,
                &document->root) == 0) {
        laz_check(document, LAZ_FIELD_ROOT, &load->report);
        laz_check_shipping(document, &load->report);
        laz_check_secrets(document, &load->report);
        laz_check_identities(document, &load->report);
        laz_check_tunnel(document, &load->report);
        laz_check_health(document, &load->report);
    }
    return 0;
}

/* "web.yaml" in the directory of the named file, as the user would write its path. */
static char *path_beside(struct laz_load *load, const char *name)
{
    const char *path = load->source->path;
    size_t directory = (size_t)(base_name(path) - path);
    size_t length = strlen(name);
    char *joined = laz_arena_take(&load->arena, directory + length + 1, 1);
    if (joined != NULL) {
        (void)memcpy(joined, path, directory);
        (void)memcpy(joined + directory, name, length + 1);
    }
    return joined;
}

static size_t find_file(const struct laz_policy *policy, const char *name, bool is_builtin)
{
    size_t i = 0;
    while (i < policy->n_files &&
            (policy->files[i].is_builtin != is_builtin ||
                    strcmp(base_name(policy->files[i].name), base_name(name)) != 0)) {
        i++;
    }
    return i;
}

/* The files that are being resolved, outermost first, and how far each one is. */
struct descent {
    uint16_t files[LAZ_POLICY_EXTENDS_DEPTH + 1];
    struct laz_node *items[LAZ_POLICY_EXTENDS_DEPTH + 1]; /* of `extends`; the last one followed */
    size_t n;
};

static void report_cycle(
        struct laz_load *load, const struct descent *descent, size_t from, struct laz_node *item)
{
    struct laz_buf chain;
    char text[LAZ_DIAGNOSTIC_MESSAGE_MAX / 2];
    laz_buf_init_fixed(&chain, text, sizeof(text));
    for (size_t i = from; i < descent->n; i++) {
        laz_buf_printf(&chain, "%s -> ", base_name(load->policy->files[descent->files[i]].name));
    }
    laz_report_node(&load->report, LAZ_E_POLICY_INVALID, item, "extends itself: %s%s", text,
            base_name(load->policy->files[descent->files[from]].name));
}

/* Load a file that is met for the first time and descend into it. -1 with err if it cannot be had.
 */
static int enter(struct laz_load *load, struct descent *descent, const char *name, bool is_builtin,
        struct laz_err *err)
{
    struct laz_policy *policy = load->policy;
    if (policy->n_files == LAZ_POLICY_FILES_MAX) {
        return laz_err_set(
                err, LAZ_E_POLICY_TOO_LARGE, 0, "more than %d files", LAZ_POLICY_FILES_MAX);
    }
    if (descent->n == LAZ_POLICY_EXTENDS_DEPTH + 1) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0, "extends more than %d levels deep",
                LAZ_POLICY_EXTENDS_DEPTH);
    }
    char *path =
            is_builtin ? laz_arena_copy(&load->arena, name, strlen(name)) : path_beside(load, name);
    if (path == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for the name of a file");
    }
    size_t index = policy->n_files;
    if (take_file(load, path, is_builtin, err) < 0) {
        return -1;
    }
    descent->files[descent->n] = (uint16_t)index;
    descent->items[descent->n] = NULL;
    descent->n++;
    return 0;
}

/* Follow one entry of `extends`. */
static void follow(struct laz_load *load, struct descent *descent, struct laz_node *item)
{
    bool is_builtin = strncmp(item->text, "builtin/", strlen("builtin/")) == 0;
    struct laz_document *document = &load->documents[descent->files[descent->n - 1]];
    size_t known = find_file(load->policy, item->text, is_builtin);
    if (document->n_parents == LAZ_POLICY_FILES_MAX) {
        laz_report_node(&load->report, LAZ_E_POLICY_TOO_LARGE, item, "more than %d files",
                LAZ_POLICY_FILES_MAX);
        return;
    }
    for (size_t i = 0; i < descent->n; i++) {
        if (descent->files[i] == known) {
            report_cycle(load, descent, i, item);
            return;
        }
    }
    struct laz_err err = {0};
    size_t parent = known;
    if (known == load->policy->n_files && enter(load, descent, item->text, is_builtin, &err) < 0) {
        struct laz_quoted mean;
        const char *suggestion =
                err.kind == LAZ_E_POLICY_ABSENT ? suggest_builtin(item->text) : NULL;
        laz_report_node(&load->report, err.kind, item, "%s%s", err.message,
                laz_quote_suggestion(&mean, suggestion));
        return;
    }
    document->parents[document->n_parents++] = (uint16_t)parent;
}

static void descend(struct laz_load *load)
{
    struct descent descent = {.n = 1};
    while (descent.n > 0) {
        size_t top = descent.n - 1;
        struct laz_document *document = &load->documents[descent.files[top]];
        struct laz_node *item = laz_check_item(document->at[LAZ_FIELD_EXTENDS], descent.items[top]);
        if (item != NULL) {
            descent.items[top] = item;
            follow(load, &descent, item);
            continue;
        }
        load->order[load->n_order++] = descent.files[top];
        descent.n--;
    }
}

int laz_documents_load(struct laz_load *load, struct laz_err *err)
{
    const char *path = load->source->path;
    char *name = laz_arena_copy(&load->arena, path, strlen(path));
    if (name == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for the name of a file");
    }
    if (take_file(load, name, false, err) < 0) {
        struct laz_pos whole = {0};
        laz_report_at(&load->report, err->kind, whole, "%s", err->message);
        return -1;
    }
    descend(load);
    return load->arena.failed ? laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for the policy")
                              : 0;
}
