/* SPDX-License-Identifier: Apache-2.0
 *
 * podman: a file of our own beside containers.conf, which it reads at each call. Its hooks.d is
 * looked at, and never written to: a hook whose program is absent is passed over there.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/install.h"
#include "cli/programs.h"
#include "core/fd.h"
#include "core/replace.h"
#include "policy/runtime.h"

#define CONFIGURATIONS "/etc/containers/containers.conf.d"
#define NAME_SIZE      64
#define PATH_SIZE      (NAME_MAX + 64) /* a name in the folder */

#define HEAD "# Written by lazaret install runtime.\n[engine]\n"
#define TAIL "\n[engine.runtimes]\n" LAZ_INSTALL_NAME " = [\"" LAZ_PROGRAMS_SHIM "\"]\n"

static const char named[] = "# Written by lazaret install runtime." TAIL;
static const char preferred[] = HEAD "runtime = \"" LAZ_INSTALL_NAME "\"\n" TAIL;

static bool is_text(const struct laz_buf *buf, const char *text)
{
    return buf != NULL && buf->len == strlen(text) && memcmp(buf->data, text, buf->len) == 0;
}

static int edit(
        const struct laz_buf *before, bool is_default, struct laz_buf *ret, struct laz_err *err)
{
    bool was_default = is_text(before, preferred);
    if (before != NULL && !was_default && !is_text(before, named)) {
        return laz_err_set(err, LAZ_E_ENGINE_FILE, 0,
                "%s is there, and not as this command writes it", laz_install_podman.path);
    }
    laz_buf_str(ret, is_default || was_default ? preferred : named);
    return 0;
}

/* ---- hooks.d ---- */

static bool has_hook(int folder, const char *name)
{
    struct stat status;
    struct laz_err why = {0};
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_INSTALL_FILE_MAX);
    return laz_read_at(folder, name, &text, &status, &why) == 0 && text.len > 0 &&
            memmem(text.data, text.len, "lazaret-hook", strlen("lazaret-hook")) != NULL;
}

static void look_at(const char *path, struct laz_buf *ret)
{
    struct dirent **entries = NULL;
    laz_cleanup_fd int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int n = folder < 0 ? 0 : scandirat(folder, ".", &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (has_hook(folder, entries[i]->d_name)) {
            laz_buf_printf(ret,
                    "%s/%s enforces nothing: podman passes over a hook whose program is absent; "
                    "the entries that the shim makes fail closed\n",
                    path, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
}

void laz_install_podman_hooks(struct laz_buf *ret)
{
    look_at("/usr/share/containers/oci/hooks.d", ret);
    look_at("/etc/containers/oci/hooks.d", ret);
}

/* ---- podman's own runtime ---- */

/* runtime = "NAME" */
static void take_line(const char *line, char ret[NAME_SIZE])
{
    static const char key[] = "runtime";
    const char *at = line + sizeof(key) - 1;
    if (strncmp(line, key, sizeof(key) - 1) != 0) {
        return;
    }
    at += strspn(at, " \t");
    if (*at++ == '=' && (at += strspn(at, " \t"), *at == '"' || *at == '\'')) {
        size_t length = strcspn(at + 1, "\"'\n");
        (void)snprintf(ret, NAME_SIZE, "%.*s", (int)length, at + 1);
    }
}

/* `runtime` of [engine]: for a note, not for a change, so nothing else of the file is read. */
static void take_runtime(const char *path, char ret[NAME_SIZE])
{
    bool is_engine = false;
    struct stat status;
    struct laz_err ignored = {0};
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_INSTALL_FILE_MAX);
    if (laz_read_at(AT_FDCWD, path, &text, &status, &ignored) < 0 || text.len == 0) {
        return;
    }
    laz_buf_char(&text, '\0');
    char *rest = text.data;
    for (char *line = NULL; !text.overflow && (line = strsep(&rest, "\n")) != NULL;) {
        line += strspn(line, " \t");
        is_engine = line[0] == '[' ? strncmp(line, "[engine]", 8) == 0 : is_engine;
        if (is_engine) {
            take_line(line, ret);
        }
    }
}

/* Without a word of any file podman takes crun where there is one. */
static const char *find_runtime(void)
{
    static const char *const places[] = {
            "/usr/bin/crun", "/usr/sbin/crun", "/usr/local/bin/crun", "/usr/local/sbin/crun"};
    bool is_there = false;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        is_there = is_there || access(places[i], X_OK) == 0;
    }
    return is_there ? "crun" : "runc";
}

/* As podman reads them, the last word counts; our own file apart. */
static void take_all(char ret[NAME_SIZE])
{
    struct dirent **entries = NULL;
    take_runtime("/usr/share/containers/containers.conf", ret);
    take_runtime("/etc/containers/containers.conf", ret);
    int n = scandir(CONFIGURATIONS, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char path[PATH_SIZE];
        const char *end = strrchr(entries[i]->d_name, '.');
        (void)snprintf(path, sizeof(path), CONFIGURATIONS "/%s", entries[i]->d_name);
        if (end != NULL && strcmp(end, ".conf") == 0 &&
                strcmp(path, laz_install_podman.path) != 0) {
            take_runtime(path, ret);
        }
        free(entries[i]);
    }
    free(entries);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

void laz_install_podman_runtime(struct laz_buf *ret)
{
    static const struct laz_policy_source source = {
            .path = LAZ_RUNTIME_FILE, .check_ownership = true};
    char name[NAME_SIZE] = "";
    struct laz_err ignored = {0}; /* somebody else has said so */
    struct laz_runtime *runtime = NULL;
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    take_all(name);
    const char *own = name[0] == '\0' ? find_runtime() : last_part(name);
    if (diagnostics != NULL && laz_runtime_load(&source, diagnostics, &runtime, &ignored) == 0 &&
            strncmp(last_part(runtime->program), own, strlen(own)) != 0) {
        laz_buf_printf(ret,
                "podman runs %s by itself, and runtime: of " LAZ_RUNTIME_FILE
                " is %s: containers would be run by another program than before\n",
                own, runtime->program);
    }
    laz_runtime_free(runtime);
    free(diagnostics);
}

const struct laz_install_engine laz_install_podman = {
        .name = "podman",
        .path = "/etc/containers/containers.conf.d/50-lazaret.conf",
        .edit = edit,
        .by_hand = "remove that file",
};
