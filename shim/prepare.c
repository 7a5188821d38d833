/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret-prepare: reads the host's file and its policies for lazaret-shim, which becomes this
 * program where /run/lazaret/prepared has nothing that fits, and as which it goes on. What cannot
 * be read is refused here, in the shim's words. It never looks at what a container asks for.
 */
#include <stdlib.h>
#include <string.h>

#include "core/fd.h"
#include "core/replace.h"
#include "policy/diagnostic.h"
#include "policy/narrow.h"
#include "shim/ask.h"
#include "shim/call.h"
#include "shim/folder.h"
#include "shim/image.h"
#include "shim/passing.h"
#include "shim/prepared.h"
#include "shim/program.h"
#include "shim/refuse.h"
#include "shim/sweep.h"

#define FILE_MODE 0600

extern char **environ;

struct prepare {
    struct laz_ask ask;
    int shim;
    const char *name;                    /* what was asked for */
    struct laz_diagnostics *diagnostics; /* the first of them is in what is said */
    struct laz_runtime *runtime;         /* NULL: it cannot be used */
};

/* ---- writing ---- */

static int save(const struct laz_buf *text, const char *name, struct laz_err *err)
{
    const struct laz_replace how = {.mode = FILE_MODE};
    if (text->overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for what the files say");
    }
    laz_cleanup_fd int folder = laz_folder_open(LAZ_PREPARED_FOLDER, err);
    if (folder < 0) {
        return -1;
    }
    return laz_replace_at(folder, name, &how, text->data, text->len, err) < 0
            ? laz_err_context(err, LAZ_PREPARED_FOLDER "/%s", name)
            : 0;
}

static size_t add_sources(
        const struct laz_policy *policy, struct laz_prepared_source *sources, size_t n)
{
    for (size_t i = 0; i < policy->n_files; i++) {
        const struct laz_file *file = &policy->files[i];
        if (!file->is_builtin) { /* those are this program's own */
            sources[n++] = (struct laz_prepared_source){file->name, file->text, file->length};
        }
    }
    return n;
}

static int save_runtime(const struct laz_runtime *runtime, struct laz_err *err)
{
    const struct laz_prepared_source source = {
            LAZ_RUNTIME_FILE, runtime->file.text, runtime->file.length};
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_PREPARED_MAX);
    if (laz_prepared_begin(&text, &source, 1, err) < 0) {
        return -1;
    }
    laz_runtime_put(&text, runtime);
    return save(&text, LAZ_PREPARED_RUNTIME, err);
}

static int save_policy(const struct laz_policy *policy, const uint8_t image[LAZ_SHA256_SIZE],
        const char *name, struct laz_err *err)
{
    struct laz_prepared_source sources[LAZ_POLICY_FILES_MAX];
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_PREPARED_MAX);
    struct laz_host_policy *of = malloc(sizeof(*of));
    if (of == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory");
    }
    laz_host_policy_of(policy, of);
    (void)memcpy(of->image_digest, image, LAZ_SHA256_SIZE);
    int result = laz_prepared_begin(&text, sources, add_sources(policy, sources, 0), err);
    laz_host_policy_put(&text, of);
    free(of);
    return result < 0 ? -1 : save(&text, name, err);
}

static int save_pair(const struct laz_policy *child, const struct laz_policy *parent,
        const char *name, struct laz_err *err)
{
    struct laz_prepared_source sources[2 * LAZ_POLICY_FILES_MAX];
    struct laz_widening found = {0};
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_PREPARED_MAX);
    size_t n = add_sources(parent, sources, add_sources(child, sources, 0));
    if (laz_prepared_begin(&text, sources, n, err) < 0) {
        return -1;
    }
    bool widens = laz_policy_find_widening(child, parent, &found);
    laz_section_put_uint(&text, widens, 1);
    laz_section_put_string(&text, found.key);
    laz_section_put_string(&text, found.value);
    return save(&text, name, err);
}

/* ---- what is asked for ---- */

static int load_runtime(struct prepare *prepare, struct laz_err *err)
{
    const struct laz_policy_source source = {.path = LAZ_RUNTIME_FILE, .check_ownership = true};
    return laz_runtime_load(&source, prepare->diagnostics, &prepare->runtime, err);
}

/* Its image too: a container that begins under it will want it. */
static int make_policy(
        struct prepare *prepare, const char *name, const char *asked, struct laz_err *err)
{
    uint8_t image[LAZ_SHA256_SIZE];
    struct laz_policy *policy = NULL;
    if (laz_runtime_policy_load(name, prepare->diagnostics, &policy, err) < 0) {
        return -1;
    }
    int result = laz_image_make(policy, image, err);
    if (result == 0) {
        result = save_policy(policy, image, asked, err);
    }
    laz_policy_free(policy);
    return result;
}

static int make_pair(
        struct prepare *prepare, const char *names, const char *asked, struct laz_err *err)
{
    struct laz_policy *child = NULL;
    struct laz_policy *parent = NULL;
    const char *plus = strchr(names, '+');
    char *first = plus == NULL ? NULL : strndup(names, (size_t)(plus - names));
    int result = first == NULL ||
                    laz_runtime_policy_load(first, prepare->diagnostics, &child, err) < 0 ||
                    laz_runtime_policy_load(plus + 1, prepare->diagnostics, &parent, err) < 0
            ? laz_err_set(err, LAZ_E_USAGE, 0, "%s: not two policies", asked)
            : save_pair(child, parent, asked, err);
    laz_policy_free(child);
    laz_policy_free(parent);
    free(first);
    return result;
}

static const char *behind(const char *text, const char *beginning)
{
    size_t length = strlen(beginning);
    return strncmp(text, beginning, length) == 0 ? text + length : NULL;
}

static int make(struct prepare *prepare, struct laz_err *err)
{
    const char *policy = behind(prepare->name, LAZ_PREPARED_POLICY);
    const char *pair = behind(prepare->name, LAZ_PREPARED_PAIR);
    if (strcmp(prepare->name, LAZ_PREPARED_RUNTIME) == 0) {
        return prepare->runtime == NULL ? load_runtime(prepare, err)
                                        : save_runtime(prepare->runtime, err);
    }
    if (policy != NULL) {
        return make_policy(prepare, policy, prepare->name, err);
    }
    return pair != NULL ? make_pair(prepare, pair, prepare->name, err)
                        : laz_err_set(err, LAZ_E_USAGE, 0, "%s: not to be made", prepare->name);
}

/* ---- and then ---- */

/* The last that this program does. */
static int refuse(
        struct prepare *prepare, const struct laz_arguments *arguments, struct laz_err *err)
{
    struct laz_err why = {0};
    const struct laz_call call = {.arguments = arguments,
            .runtime = prepare->runtime,
            .argv0 = prepare->ask.argv[0],
            .argc = prepare->ask.argc,
            .argv = prepare->ask.argv};
    const char *log = prepare->runtime == NULL ? NULL : prepare->runtime->log;
    if (prepare->runtime != NULL && laz_audit_write(&call, err, &why) < 0) {
        laz_warn(arguments, log, &why);
    }
    int result = laz_refuse(arguments, log, err);
    laz_runtime_free(prepare->runtime);
    free(prepare->diagnostics);
    return result;
}

/* Where nobody has a policy, or nothing is changed, nothing has to be kept: /run may be full, or
 * not the caller's. A container that began under a policy still has it. */
static bool passes(const struct prepare *prepare, const struct laz_arguments *arguments)
{
    char root[LAZ_OCI_ROOT_SIZE];
    struct laz_arguments known = *arguments;
    if (!laz_arguments_act(arguments)) {
        return true;
    }
    laz_sweep_put_root(
            laz_runtime_program(prepare->runtime, prepare->ask.argv[0]), environ, &known, root);
    return laz_call_passes_all(prepare->runtime) && !laz_passing_is_bound(&known);
}

/* The runtime is the one that the file names, or none. */
static int pass_on(struct prepare *prepare, struct laz_err *err)
{
    const char *program = laz_runtime_program(prepare->runtime, prepare->ask.argv[0]);
    return laz_program_check(&prepare->ask.folders, program, err) < 0
            ? -1
            : laz_program_become(program, prepare->ask.argv, environ, err);
}

int main(int argc, char **argv)
{
    struct laz_err err = {0};
    struct laz_err ignored = {0};
    struct laz_arguments arguments = {0};
    struct prepare prepare = {.diagnostics = malloc(sizeof(*prepare.diagnostics))};
    if (prepare.diagnostics == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no memory");
    }
    if (err.kind != LAZ_E_NONE ||
            laz_ask_take(argc, argv, &prepare.shim, &prepare.name, &prepare.ask, &err) < 0) {
        free(prepare.diagnostics);
        return laz_refuse(&arguments, NULL, &err);
    }
    laz_arguments_parse(prepare.ask.argc, prepare.ask.argv, &arguments);
    laz_ignore(load_runtime(&prepare, &ignored)); /* make() says why, where that is what is asked */
    if (make(&prepare, &err) < 0 && prepare.runtime != NULL && passes(&prepare, &arguments)) {
        err = (struct laz_err){0};
        laz_ignore(pass_on(&prepare, &err));
        return refuse(&prepare, &arguments, &err);
    }
    if (err.kind != LAZ_E_NONE && laz_arguments_act(&arguments)) {
        if (prepare.ask.context != NULL) {
            laz_ignore(laz_err_context(&err, "%s", prepare.ask.context));
        }
        return refuse(&prepare, &arguments, &err);
    }
    err = (struct laz_err){0};
    laz_ignore(laz_ask_answer(&prepare.ask, prepare.shim, &err));
    return refuse(&prepare, &arguments, &err);
}
