/* SPDX-License-Identifier: Apache-2.0
 *
 * dockerd's daemon.json: `runtimes.lazaret`, and `default-runtime` where that is wanted. Every
 * other byte stays. dockerd takes keys in any case, so that a key in another case is refused.
 */
#include <stdlib.h>
#include <strings.h>

#include "cli/install.h"
#include "cli/programs.h"
#include "core/json_edit.h"

#define EDITS_MAX 8
#define QUOTED(x) "\"" x "\""

static const char path_key[] = "path";

static int refuse(struct laz_err *err, const char *what, const char *why)
{
    return laz_err_set(err, LAZ_E_ENGINE_FILE, 0, "%s: %s %s", laz_install_docker.path, what, why);
}

/* A new file, as a person would write it. */
static void put_new(bool is_default, struct laz_buf *ret)
{
    laz_buf_printf(ret,
            "{\n%s    \"runtimes\": {\n        \"%s\": {\n            \"path\": \"%s\"\n"
            "        }\n    }\n}\n",
            is_default ? "    \"default-runtime\": \"" LAZ_INSTALL_NAME "\",\n" : "",
            LAZ_INSTALL_NAME, LAZ_PROGRAMS_SHIM);
}

/* Keys and values of an object follow each other. */
static const struct laz_json_node *next_key(const struct laz_json_doc *doc,
        const struct laz_json_node *object, const struct laz_json_node *key)
{
    return laz_json_next(doc, object, key == NULL ? NULL : key + 1);
}

static int check_cases(
        const struct laz_json_doc *doc, const struct laz_json_node *root, struct laz_err *err)
{
    static const char *const keys[] = {"runtimes", "default-runtime"};
    const struct laz_json_node *key = NULL;
    while ((key = next_key(doc, root, key)) != NULL) {
        char text[64];
        for (size_t i = 0; i < 2 && laz_json_copy(doc, key, text, sizeof(text)); i++) {
            if (strcasecmp(text, keys[i]) == 0 && strcmp(text, keys[i]) != 0) {
                return refuse(err, text, "is read as the same key in small letters");
            }
        }
    }
    return 0;
}

/* What there is by our name must be a path alone: runtimeArgs go through an unquoted script. */
static int check_ours(
        const struct laz_json_doc *doc, const struct laz_json_node *root, struct laz_err *err)
{
    const struct laz_json_node *runtimes = laz_json_member(doc, root, "runtimes");
    const struct laz_json_node *ours = laz_json_member(doc, runtimes, LAZ_INSTALL_NAME);
    if (runtimes != NULL && runtimes->type != LAZ_JSON_OBJECT && runtimes->type != LAZ_JSON_NULL) {
        return refuse(err, "\"runtimes\"", "is no object");
    }
    if (ours == NULL) {
        return 0;
    }
    if (ours->type != LAZ_JSON_OBJECT) {
        return refuse(err, "runtimes.lazaret", "is no object");
    }
    const struct laz_json_node *key = NULL;
    while ((key = next_key(doc, ours, key)) != NULL) {
        if (!laz_json_is(doc, key, path_key)) {
            return refuse(err, "runtimes.lazaret", "has more than \"path\"");
        }
    }
    return 0;
}

static int change(struct laz_json_edits *edits, const struct laz_json_node *root, bool is_default,
        struct laz_err *err)
{
    static const char path[] = QUOTED(LAZ_PROGRAMS_SHIM);
    static const char name[] = QUOTED(LAZ_INSTALL_NAME);
    struct laz_json_place runtimes;
    struct laz_json_place ours;
    if (laz_json_enter(edits, laz_json_at(root), "runtimes", LAZ_JSON_OBJECT, &runtimes, err) < 0 ||
            laz_json_enter(edits, runtimes, LAZ_INSTALL_NAME, LAZ_JSON_OBJECT, &ours, err) < 0 ||
            laz_json_set(edits, ours, path_key, path, sizeof(path) - 1, err) < 0) {
        return -1;
    }
    return is_default
            ? laz_json_set(edits, laz_json_at(root), "default-runtime", name, sizeof(name) - 1, err)
            : 0;
}

static int edit_text(
        const struct laz_json_doc *doc, bool is_default, struct laz_buf *ret, struct laz_err *err)
{
    const struct laz_json_node *root = laz_json_root(doc);
    struct laz_json_edit list[EDITS_MAX];
    struct laz_json_edits edits;
    if (root->type != LAZ_JSON_OBJECT) {
        return refuse(err, "what is there", "is no object");
    }
    if (check_cases(doc, root, err) < 0 || check_ours(doc, root, err) < 0) {
        return -1;
    }
    laz_json_edits_init(&edits, doc, list, EDITS_MAX, LAZ_E_ENGINE_FILE);
    int result = change(&edits, root, is_default, err);
    if (result == 0) {
        result = laz_json_apply(&edits, ret, err);
    }
    laz_json_edits_done(&edits);
    return result;
}

static int edit(
        const struct laz_buf *before, bool is_default, struct laz_buf *ret, struct laz_err *err)
{
    if (before == NULL) {
        put_new(is_default, ret);
        return 0;
    }
    const char *text = before->len == 0 ? "" : before->data;
    struct laz_json_doc doc;
    struct laz_json_room room = {.max = laz_json_nodes_max(before->len), .kind = LAZ_E_ENGINE_FILE};
    room.nodes = calloc((size_t)room.max + 1, sizeof(*room.nodes));
    if (room.nodes == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for %s", laz_install_docker.path);
    }
    int result = laz_json_read(text, before->len, &room, &doc, err);
    if (result < 0) {
        (void)laz_err_context(err, "%s", laz_install_docker.path);
    } else {
        result = edit_text(&doc, is_default, ret, err);
    }
    free(room.nodes);
    return result;
}

const struct laz_install_engine laz_install_docker = {
        .name = "docker",
        .path = "/etc/docker/daemon.json",
        .edit = edit,
        .then = "systemctl reload docker",
        .then_back = "systemctl restart docker", /* a reload forgets no runtime */
        .by_hand = "take out \"lazaret\" of \"runtimes\", and \"default-runtime\" where it is "
                   "\"lazaret\"",
};
