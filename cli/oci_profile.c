/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret oci export POLICY, lazaret oci import PROFILE: between a policy's system calls and a
 * seccomp profile of OCI or Docker. The result on standard output, what is lost on standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/loaded.h"
#include "cli/output.h"
#include "core/fd.h"
#include "filter/profile.h"

/* Each loss as a remark; with --strict any is a finding, and nothing is printed. */
static int print(const struct laz_cli_arguments *arguments, const struct laz_buf *result,
        const struct laz_profile_losses *losses)
{
    const char *line = losses->n == 0 ? "" : losses->text->data;
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        laz_cleanup_buf struct laz_buf note;
        laz_buf_init_heap(&note, LAZ_CLI_OUTPUT_MAX);
        laz_buf_printf(&note, "not exact: %.*s", (int)length, line);
        laz_cli_note(&note);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    if (arguments->strict && losses->n > 0) {
        struct laz_err err = {0};
        (void)laz_err_set(&err, LAZ_E_OCI, 0, "%.256s: %zu thing%s cannot be said exactly",
                arguments->operands[0], losses->n, losses->n == 1 ? "" : "s");
        return laz_cli_fail(&err, false);
    }
    return laz_cli_print(result, LAZ_EXIT_FINE);
}

int laz_cli_oci_export(const struct laz_cli_arguments *arguments)
{
    laz_cleanup_loaded struct laz_loaded loaded;
    laz_loaded_init(&loaded, arguments->operands[0], arguments->root);
    int result = laz_loaded_require(&loaded, false);
    if (result != LAZ_EXIT_FINE) {
        return result;
    }
    laz_loaded_print_diagnostics(&loaded);
    struct laz_err err = {0};
    laz_cleanup_buf struct laz_buf json;
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&json, LAZ_CLI_OUTPUT_MAX);
    laz_buf_init_heap(&text, LAZ_CLI_OUTPUT_MAX);
    struct laz_profile_losses losses = {.text = &text};
    if (laz_profile_export(loaded.policy, arguments->arch, NULL, &json, &losses, &err) < 0) {
        return laz_cli_fail(&err, false);
    }
    return print(arguments, &json, &losses);
}

static int read_capabilities(
        const struct laz_cli_arguments *arguments, uint64_t *ret, struct laz_err *err)
{
    for (size_t i = 0; i < arguments->n_words; i++) {
        const char *name = arguments->words[i].value;
        int number = laz_capability_by_name(name, strlen(name));
        if (number < 0) {
            return laz_err_set(
                    err, LAZ_E_USAGE, 0, "--capability: unknown capability \"%.64s\"", name);
        }
        *ret |= UINT64_C(1) << number;
    }
    return 0;
}

static int read_profile(const char *path, struct laz_buf *ret, struct laz_err *err)
{
    char *text = malloc(LAZ_PROFILE_SIZE_MAX);
    size_t length = 0;
    int result = -1;
    /* Not blocking: a FIFO must not hang a build. */
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (text == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for %s", path);
    } else if (fd < 0) {
        (void)laz_err_set(err, LAZ_E_OCI, errno, "cannot open %s: %s", path, strerror(errno));
    } else if (laz_fd_read_all(fd, text, LAZ_PROFILE_SIZE_MAX, &length, err) < 0) {
        (void)laz_err_context(err, "%s", path);
    } else {
        laz_buf_put(ret, text, length);
        result = 0;
    }
    free(text);
    return result;
}

int laz_cli_oci_import(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    struct laz_profile_reader reader = {.arch = arguments->arch};
    laz_cleanup_buf struct laz_buf profile;
    laz_cleanup_buf struct laz_buf yaml;
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&profile, LAZ_CLI_OUTPUT_MAX);
    laz_buf_init_heap(&yaml, LAZ_CLI_OUTPUT_MAX);
    laz_buf_init_heap(&text, LAZ_CLI_OUTPUT_MAX);
    struct laz_profile_losses losses = {.text = &text};
    if (read_capabilities(arguments, &reader.capabilities, &err) < 0 ||
            read_profile(arguments->operands[0], &profile, &err) < 0) {
        return laz_cli_fail(&err, false);
    }
    if (laz_profile_import(profile.len == 0 ? "" : profile.data, profile.len, &reader, &yaml,
                &losses, &err) < 0) {
        (void)laz_err_context(&err, "%.256s", arguments->operands[0]);
        return laz_cli_fail(&err, false);
    }
    return print(arguments, &yaml, &losses);
}
