/* SPDX-License-Identifier: Apache-2.0
 *
 * podman: a file of our own beside containers.conf, which it reads at each call. Its hooks.d is
 * looked at, and never written to: a hook whose program is absent is passed over there.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#include "cli/install.h"
#include "cli/programs.h"
#include "core/fd.h"
#include "core/replace.h"

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

const struct laz_install_engine laz_install_podman = {
        .name = "podman",
        .path = "/etc/containers/containers.conf.d/50-lazaret.conf",
        .edit = edit,
        .by_hand = "remove that file",
};
