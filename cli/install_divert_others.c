/* SPDX-License-Identifier: Apache-2.0
 *
 * Ways by which somebody calls a runc that is not diverted, or the one that is twice.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/install.h"
#include "cli/install_divert.h"
#include "cli/programs.h"
#include "cli/toml_lines.h"
#include "core/replace.h"
#include "policy/runtime.h"

#define NVIDIA_FILE "/etc/nvidia-container-runtime/config.toml"
#define NVIDIA      "nvidia-container-runtime"

/* ---- Another runc ---- */

static bool leads_to(const char *path, const char *program)
{
    char *real = realpath(path, NULL);
    char *wanted = realpath(program, NULL);
    bool is = real != NULL && wanted != NULL && strcmp(real, wanted) == 0;
    free(real);
    free(wanted);
    return is;
}

size_t laz_divert_others(const struct laz_divert *divert, struct laz_err *ret, size_t max)
{
    /* systemd's PATH for its services, and what it is where /sbin and /bin are no links. */
    static const char *const names[] = {"/usr/local/sbin/runc", "/usr/local/bin/runc",
            "/usr/sbin/runc", "/usr/bin/runc", "/sbin/runc", "/bin/runc"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && n < max; i++) {
        struct stat status;
        bool is_program = stat(names[i], &status) == 0 && S_ISREG(status.st_mode) &&
                access(names[i], X_OK) == 0;
        if (is_program && !leads_to(names[i], divert->place) &&
                !leads_to(names[i], LAZ_PROGRAMS_SHIM)) {
            (void)laz_err_set(&ret[n++], LAZ_E_ENGINE_FILE, 0,
                    "%s is another runc than %s, and engines may call that one: remove it, or make "
                    "it a link to %s",
                    names[i], divert->place, divert->place);
        }
    }
    return n;
}

/* ---- nvidia's ---- */

/* Its own file names the runc behind the shim, and no runc by its name alone. What is not read is
 * not so. */
static bool nvidia_knows(const char *real)
{
    static const char *const table[] = {NVIDIA, NULL};
    struct stat status;
    struct laz_err ignored = {0};
    struct laz_toml_line line = {0};
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_INSTALL_FILE_MAX);
    bool is = false;
    int more = laz_read_at(AT_FDCWD, NVIDIA_FILE, &text, &status, &ignored) < 0 ? 0 : 1;
    while (more > 0 &&
            (more = laz_toml_next(text.data, text.len, LAZ_E_ENGINE_FILE, &line, &ignored)) > 0) {
        if (line.kind == LAZ_TOML_KEY && laz_toml_is_in(&line, table) &&
                laz_toml_is(line.key, "runtimes")) {
            is = laz_toml_has(line.value, real) && !laz_toml_has(line.value, "runc") &&
                    !laz_toml_has(line.value, "docker-runc");
        }
    }
    return is && more == 0;
}

void laz_divert_note(const struct laz_divert *divert, struct laz_buf *ret)
{
    static const struct laz_policy_source source = {
            .path = LAZ_RUNTIME_FILE, .check_ownership = true};
    struct laz_err ignored = {0}; /* somebody else has said so */
    struct laz_runtime *runtime = NULL;
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    bool is_read = diagnostics != NULL &&
            laz_runtime_load(&source, diagnostics, &runtime, &ignored) == 0 &&
            !nvidia_knows(divert->real);
    for (size_t i = 0; is_read && i < runtime->n_names; i++) {
        const char *program = runtime->names[i].program;
        const char *last = strrchr(program, '/') + 1; /* it is absolute */
        if (strncmp(last, NVIDIA, strlen(NVIDIA)) == 0) {
            laz_buf_printf(ret,
                    "runtime-by-name: %s is %s, which looks for runc by that name, and finds "
                    "lazaret-shim: each container would be judged twice, the second time as "
                    "runc's; in " NVIDIA_FILE ": runtimes = [\"%s\"]\n",
                    runtime->names[i].name, program, divert->real);
        }
    }
    laz_runtime_free(runtime);
    free(diagnostics);
}
