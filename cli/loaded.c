/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading a policy for a command, and telling what is wrong with it.
 */
#include "cli/loaded.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/output.h"
#include "core/fd.h"
#include "core/num.h"

void laz_loaded_init(struct laz_loaded *ret, const char *path, const char *root)
{
    *ret = (struct laz_loaded){.path = path};
    ret->diagnostics = calloc(1, sizeof(*ret->diagnostics));
    laz_cleanup_buf struct laz_buf passwd;
    laz_cleanup_buf struct laz_buf group;
    laz_buf_init_heap(&passwd, LAZ_CLI_OUTPUT_MAX);
    laz_buf_init_heap(&group, LAZ_CLI_OUTPUT_MAX);
    laz_buf_printf(&passwd, "%s/etc/passwd", root);
    laz_buf_printf(&group, "%s/etc/group", root);
    if (ret->diagnostics == NULL || passwd.overflow || group.overflow) {
        (void)laz_err_set(&ret->err, LAZ_E_MEMORY, 0, "no memory to load a policy");
        return;
    }
    const struct laz_policy_source source = {
            .path = path, .passwd_path = passwd.data, .group_path = group.data, .root = root};
    if (laz_policy_load(&source, ret->diagnostics, &ret->policy, &ret->err) < 0) {
        ret->policy = NULL;
    }
}

void laz_loaded_done(struct laz_loaded *loaded)
{
    laz_policy_free(loaded->policy);
    free(loaded->diagnostics);
    *loaded = (struct laz_loaded){0};
}

/* One about no line of a file is the error itself. */
static bool has_position(const struct laz_diagnostic *item)
{
    return item->line > 0;
}

void laz_loaded_print_diagnostics(const struct laz_loaded *loaded)
{
    const struct laz_diagnostics *diagnostics = loaded->diagnostics;
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    for (size_t i = 0; diagnostics != NULL && i < diagnostics->n; i++) {
        if (has_position(&diagnostics->items[i])) {
            laz_diagnostic_format(&diagnostics->items[i], &buf);
        }
    }
    if (diagnostics != NULL && diagnostics->dropped > 0) {
        laz_buf_printf(&buf, "%s: %zu more are not shown\n", loaded->path, diagnostics->dropped);
    }
    struct laz_err ignored = {0};
    if (buf.len > 0) {
        laz_ignore(
                laz_fd_write_all(STDERR_FILENO, buf.data, buf.len, &ignored)); /* nobody to tell */
    }
}

void laz_loaded_json_diagnostics(const struct laz_loaded *loaded, struct laz_json *json)
{
    const struct laz_diagnostics *diagnostics = loaded->diagnostics;
    laz_json_array(json, "diagnostics");
    for (size_t i = 0; diagnostics != NULL && i < diagnostics->n; i++) {
        const struct laz_diagnostic *item = &diagnostics->items[i];
        laz_json_object(json, NULL);
        laz_json_string(json, "severity", item->is_warning ? "warning" : "error");
        laz_json_string(json, "name", laz_err_name(item->kind));
        laz_json_string(json, "file", item->file);
        laz_json_u64(json, "line", item->line);
        laz_json_u64(json, "col", item->col);
        laz_json_string(json, "message", item->message);
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
    laz_json_u64(json, "dropped", diagnostics == NULL ? 0 : diagnostics->dropped);
}

static int fail_json(const struct laz_loaded *loaded)
{
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    struct laz_json json;
    laz_json_init(&json, &buf);
    laz_json_object(&json, NULL);
    laz_json_bool(&json, "ok", false);
    laz_cli_error_json(&json, &loaded->err);
    laz_loaded_json_diagnostics(loaded, &json);
    laz_json_object_end(&json);
    laz_buf_char(&buf, '\n');
    return laz_cli_print(&buf, LAZ_EXIT_FINDINGS);
}

/* "web.yaml: 3 errors", after they have been shown. */
static int fail_text(const struct laz_loaded *loaded)
{
    const struct laz_diagnostics *diagnostics = loaded->diagnostics;
    laz_loaded_print_diagnostics(loaded);
    if (diagnostics == NULL || diagnostics->n == 0 || !has_position(&diagnostics->items[0])) {
        return laz_cli_fail(&loaded->err, false);
    }
    struct laz_err summary = {0};
    (void)laz_err_set(&summary, loaded->err.kind, 0, "%.256s: %zu error%s", loaded->path,
            diagnostics->n_errors, diagnostics->n_errors == 1 ? "" : "s");
    return laz_cli_fail(&summary, false);
}

int laz_loaded_require(const struct laz_loaded *loaded, bool json)
{
    if (loaded->policy != NULL) {
        return LAZ_EXIT_FINE;
    }
    return json ? fail_json(loaded) : fail_text(loaded);
}

void laz_cli_json_digest(
        struct laz_json *json, const char *key, const uint8_t digest[LAZ_SHA256_SIZE])
{
    char text[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(digest, LAZ_SHA256_SIZE, text);
    laz_json_string(json, key, text);
}
