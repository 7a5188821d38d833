/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret install runtime: what makes an engine run containers by lazaret-shim is shown, done,
 * checked or undone. It installs no program and reloads no service.
 */
#include "cli/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/install_divert.h"
#include "cli/output.h"
#include "cli/programs.h"
#include "cli/runtime_check.h"
#include "core/replace.h"

#define FINDINGS_MAX 16
#define PATH_SIZE    128 /* of a record: the longest name is containerd.before */

enum mode {
    SHOW,
    APPLY,
    CHECK,
    UNDO,
};

static const char *const mode_names[] = {"show", "apply", "check", "undo"};

struct run {
    const struct laz_cli_arguments *arguments;
    enum mode mode;
    const struct laz_install_engine *engine; /* NULL: --divert-runc alone */
    bool is_to_do;
    size_t n_findings;
    struct laz_err findings[FINDINGS_MAX];
    struct laz_buf out;
    struct laz_buf parts_text;
    struct laz_json parts; /* members of one array */
    struct laz_buf notes;
};

/* ---- What was asked for ---- */

const struct laz_install_engine *const laz_install_engines[] = {
        &laz_install_docker, &laz_install_containerd, &laz_install_podman, NULL};

static const struct laz_install_engine *find_engine(const char *name)
{
    for (size_t i = 0; laz_install_engines[i] != NULL; i++) {
        if (strcmp(laz_install_engines[i]->name, name) == 0) {
            return laz_install_engines[i];
        }
    }
    return NULL;
}

static int take_arguments(
        const struct laz_cli_arguments *arguments, struct run *run, struct laz_err *err)
{
    const bool given[] = {false, arguments->apply, arguments->check, arguments->undo};
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof(given); i++) {
        n += given[i] ? 1 : 0;
        run->mode = given[i] ? (enum mode)i : run->mode;
    }
    if (n > 1) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "one of --apply, --check and --undo at a time");
    }
    if (arguments->engine == NULL && !arguments->divert_runc) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "install runtime needs --engine docker, containerd or podman, or --divert-runc");
    }
    if (arguments->engine == NULL && arguments->as_default) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "--default needs --engine");
    }
    run->engine = arguments->engine == NULL ? NULL : find_engine(arguments->engine);
    return arguments->engine == NULL || run->engine != NULL
            ? 0
            : laz_err_set(err, LAZ_E_USAGE, 0,
                      "--engine: unknown engine \"%.64s\"; known are docker, containerd and podman",
                      arguments->engine);
}

/* All paths are the host's from here on: also those that other parts of this command open. */
static int enter_root(const struct laz_cli_arguments *arguments, struct laz_err *err)
{
    if (arguments->root[0] != '\0' && (chroot(arguments->root) < 0 || chdir("/") < 0)) {
        return laz_err_set(
                err, LAZ_E_SYSTEM, errno, "--root: %.256s: %s", arguments->root, strerror(errno));
    }
    return 0;
}

/* ---- What was found ---- */

static void find(struct run *run, const struct laz_err *err)
{
    if (run->n_findings < FINDINGS_MAX) {
        run->findings[run->n_findings++] = *err;
    }
}

/* Of an engine, or of all. Where there is no room to say so, there are some. */
static bool has_left(struct run *run, const char *engine)
{
    if (run->n_findings == FINDINGS_MAX) {
        return true;
    }
    size_t n = laz_install_left(
            engine, &run->findings[run->n_findings], FINDINGS_MAX - run->n_findings);
    run->n_findings += n;
    return n > 0;
}

/* What an engine that uses the shim cannot do without. */
static void look_around(struct run *run)
{
    for (size_t i = 0; laz_programs[i] != NULL; i++) {
        struct laz_err err = {0};
        if (laz_program_look(laz_programs[i], &err) < 0) {
            find(run, &err);
        }
    }
    struct laz_err err = {0};
    if (laz_runtime_require(&err) < 0) {
        find(run, &err);
    }
}

/* One line, and a member of the JSON. `diff` and `then` may be empty, and NULL. */
static void put_part(struct run *run, const char *part, const char *path, const char *state,
        const struct laz_buf *diff, const char *then)
{
    struct laz_json *json = &run->parts;
    laz_buf_printf(&run->out, "%s: %s %s\n", part, path, state);
    laz_buf_put(&run->out, diff->data, diff->len);
    if (then != NULL) {
        laz_buf_printf(&run->out, "%s: then run: %s\n", part, then);
    }
    laz_json_object(json, NULL);
    laz_json_string(json, "part", part);
    laz_json_string(json, "file", path);
    laz_json_string(json, "state", state);
    laz_json_bytes(json, "diff", diff->len == 0 ? "" : diff->data, diff->len);
    if (then != NULL) {
        laz_json_string(json, "then", then);
    }
    laz_json_object_end(json);
}

/* ---- An engine's file ---- */

static bool is_same(const struct laz_install_file *file, const struct laz_buf *wanted)
{
    return file->exists && file->text.len == wanted->len &&
            (wanted->len == 0 || memcmp(file->text.data, wanted->data, wanted->len) == 0);
}

/* Somebody has changed it too: what is to be taken out by hand is in the difference. */
static void show_edit(struct run *run, const struct laz_install_file *file)
{
    char path[PATH_SIZE];
    struct stat status;
    struct laz_err unused = {0};
    laz_cleanup_buf struct laz_buf before;
    laz_cleanup_buf struct laz_buf diff;
    laz_buf_init_heap(&before, LAZ_INSTALL_FILE_MAX);
    laz_buf_init_heap(&diff, 4 * LAZ_INSTALL_FILE_MAX);
    (void)snprintf(path, sizeof(path), LAZ_INSTALL_STATE "/%s.before", file->part);
    if (strcmp(file->record.before, LAZ_INSTALL_ABSENT) != 0 &&
            laz_read_at(AT_FDCWD, path, &before, &status, &unused) < 0) {
        return;
    }
    laz_text_diff(file->path, &file->text, &before, &diff);
    put_part(run, run->engine->name, file->path,
            "is left as it is; from it to what was there before:", &diff, NULL);
}

static void undo_file(struct run *run, const struct laz_install_file *file, struct laz_err *err)
{
    const struct laz_install_engine *engine = run->engine;
    laz_cleanup_buf struct laz_buf none;
    laz_buf_init_heap(&none, 1);
    if (file->record.exists && laz_install_file_judge(file, err) < 0) {
        show_edit(run, file);
        return;
    }
    if (file->record.exists) {
        if (!has_left(run, engine->name) && laz_install_file_undo(file, err) == 0) {
            put_part(
                    run, engine->name, file->path, "is as it was before", &none, engine->then_back);
        }
        return;
    }
    laz_cleanup_buf struct laz_buf wanted;
    laz_buf_init_heap(&wanted, LAZ_INSTALL_FILE_MAX);
    struct laz_err ignored = {0};
    bool names_it = file->exists && engine->edit(&file->text, false, &wanted, &ignored) == 0 &&
            is_same(file, &wanted);
    if (names_it) {
        (void)laz_err_set(err, LAZ_E_INSTALL_EDITED, 0,
                "%s names lazaret-shim, and there is no record " LAZ_INSTALL_STATE
                "/%s.json of what was there before: %s",
                file->path, file->part, file->by_hand);
        return;
    }
    put_part(run, engine->name, file->path, "does not name lazaret-shim: nothing to undo", &none,
            NULL);
}

/* The text is not what is wanted. */
static void change_file(struct run *run, const struct laz_install_file *file,
        const struct laz_buf *wanted, struct laz_err *err)
{
    const struct laz_install_engine *engine = run->engine;
    laz_cleanup_buf struct laz_buf diff;
    laz_buf_init_heap(&diff, 4 * LAZ_INSTALL_FILE_MAX);
    if (run->mode == CHECK) {
        (void)laz_err_set(err, LAZ_E_NOT_INSTALLED, 0, "%s does not name lazaret-shim%s",
                file->path, run->arguments->as_default ? " as the default runtime" : "");
        return;
    }
    if (laz_install_file_judge(file, err) < 0 ||
            (run->mode == APPLY &&
                    (run->n_findings > 0 || laz_install_file_apply(file, wanted, err) < 0))) {
        return;
    }
    laz_text_diff(file->path, &file->text, wanted, &diff);
    run->is_to_do = run->mode == SHOW;
    put_part(run, engine->name, file->path,
            run->mode == APPLY ? "names lazaret-shim now" : "is to be changed", &diff,
            engine->then);
}

static void handle_file(struct run *run, struct laz_err *err)
{
    const struct laz_install_engine *engine = run->engine;
    struct laz_install_file file;
    laz_cleanup_buf struct laz_buf wanted;
    laz_cleanup_buf struct laz_buf none;
    laz_buf_init_heap(&wanted, LAZ_INSTALL_FILE_MAX);
    laz_buf_init_heap(&none, 1);
    if (laz_install_file_open(engine->name, engine->path, engine->by_hand, &file, err) < 0) {
        return;
    }
    if (run->mode == UNDO) {
        undo_file(run, &file, err);
    } else if (engine->edit(file.exists ? &file.text : NULL, run->arguments->as_default, &wanted,
                       err) == 0) {
        if (wanted.overflow) {
            (void)laz_err_set(err, LAZ_E_MEMORY, 0, "%s: no room for the change", file.path);
        } else if (is_same(&file, &wanted)) {
            put_part(
                    run, engine->name, file.path, "names lazaret-shim: nothing to do", &none, NULL);
        } else {
            change_file(run, &file, &wanted, err);
        }
    }
    laz_install_file_done(&file);
}

static void handle_engine(struct run *run)
{
    struct laz_err err = {0};
    if (run->engine == NULL) {
        return;
    }
    if (run->engine == &laz_install_docker && run->mode != UNDO &&
            laz_install_dockerd_look(run->arguments->as_default, &err) < 0) {
        find(run, &err);
        err = (struct laz_err){0};
    }
    handle_file(run, &err);
    if (err.kind != LAZ_E_NONE) {
        find(run, &err);
    }
    if (run->engine == &laz_install_podman) {
        laz_install_podman_hooks(&run->notes);
        if (run->mode != UNDO) {
            laz_install_podman_runtime(&run->notes);
        }
    }
}

/* ---- runc's place ---- */

static void handle_place(struct run *run, const struct laz_divert *divert, struct laz_err *err)
{
    const char *state = "is lazaret-shim: nothing to do";
    laz_cleanup_buf struct laz_buf steps;
    laz_buf_init_heap(&steps, LAZ_CLI_OUTPUT_MAX);
    if (run->mode == UNDO) {
        bool is_there = divert->is_link || divert->has_real || divert->has_record;
        state = is_there ? "is as it was before" : "is not lazaret-shim: nothing to undo";
        if (is_there && (has_left(run, NULL) || laz_divert_undo(divert, err) < 0)) {
            return;
        }
    } else if (!laz_divert_is_done(divert)) {
        if (run->mode == CHECK) {
            (void)laz_err_set(err, LAZ_E_NOT_INSTALLED, 0, "%s is not diverted to lazaret-shim",
                    divert->place);
            return;
        }
        if (run->mode == APPLY && (run->n_findings > 0 || laz_divert_apply(divert, err) < 0)) {
            return;
        }
        laz_divert_show(divert, &steps);
        state = run->mode == APPLY ? "is lazaret-shim now" : "is to become lazaret-shim";
        run->is_to_do = run->mode == SHOW || run->is_to_do;
    }
    put_part(run, LAZ_DIVERT_PART, divert->place, state, &steps, NULL);
}

/* What goes around the place, or comes to it twice. */
static void look_beside(struct run *run, const struct laz_divert *divert)
{
    if (run->mode != UNDO) {
        run->n_findings += laz_divert_others(
                divert, &run->findings[run->n_findings], FINDINGS_MAX - run->n_findings);
        laz_divert_note(divert, &run->notes);
    }
}

static void handle_divert(struct run *run)
{
    struct laz_err err = {0};
    struct laz_divert divert;
    if (!run->arguments->divert_runc) {
        return;
    }
    if (laz_divert_look(&divert, &err) == 0) {
        look_beside(run, &divert);
        handle_place(run, &divert, &err);
    }
    if (err.kind != LAZ_E_NONE) {
        find(run, &err);
    }
}

/* ---- The whole ---- */

static int print_text(struct run *run, int result)
{
    if (run->notes.len > 0) {
        run->notes.len--; /* the last newline is the note's own */
        laz_cli_note(&run->notes);
    }
    result = laz_cli_print(&run->out, result);
    for (size_t i = 0; i < run->n_findings; i++) {
        laz_ignore(laz_cli_fail(&run->findings[i], false)); /* the code is 1 already */
    }
    return result;
}

static int print_json(struct run *run, int result)
{
    struct laz_json json;
    laz_cleanup_buf struct laz_buf out;
    laz_buf_init_heap(&out, LAZ_CLI_OUTPUT_MAX);
    laz_json_init(&json, &out);
    laz_json_object(&json, NULL);
    laz_json_bool(&json, "ok", result == LAZ_EXIT_FINE);
    laz_json_string(&json, "mode", mode_names[run->mode]);
    laz_json_array(&json, "parts");
    laz_buf_put(&out, run->parts_text.data, run->parts_text.len);
    laz_json_array_end(&json);
    laz_json_bytes(&json, "notes", run->notes.len == 0 ? "" : run->notes.data, run->notes.len);
    laz_json_array(&json, "findings");
    for (size_t i = 0; i < run->n_findings; i++) {
        laz_json_object(&json, NULL);
        laz_cli_error_json(&json, &run->findings[i]);
        laz_json_object_end(&json);
    }
    laz_json_array_end(&json);
    laz_json_object_end(&json);
    laz_buf_char(&out, '\n');
    return laz_cli_print(&out, result);
}

int laz_cli_install_runtime(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    struct run run = {.arguments = arguments};
    if (take_arguments(arguments, &run, &err) < 0 || enter_root(arguments, &err) < 0) {
        return laz_cli_fail(&err, arguments->json);
    }
    (void)umask(S_IWGRP | S_IWOTH);
    laz_buf_init_heap(&run.out, LAZ_CLI_OUTPUT_MAX);
    laz_buf_init_heap(&run.notes, LAZ_CLI_OUTPUT_MAX);
    laz_buf_init_heap(&run.parts_text, LAZ_CLI_OUTPUT_MAX);
    laz_json_init(&run.parts, &run.parts_text);
    if (run.mode != UNDO) {
        look_around(&run);
    }
    handle_engine(&run);
    handle_divert(&run);
    if (run.mode == UNDO) {
        laz_install_tidy();
    }
    int result = run.n_findings == 0 && !run.is_to_do ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS;
    result = arguments->json ? print_json(&run, result) : print_text(&run, result);
    laz_buf_done(&run.out);
    laz_buf_done(&run.notes);
    laz_buf_done(&run.parts_text);
    return result;
}
