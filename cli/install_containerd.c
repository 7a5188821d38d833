/* SPDX-License-Identifier: Apache-2.0
 *
 * containerd's config.toml: a runtime of its CRI plugin. The change is made in that file itself,
 * because a section of an imported one takes the place of the whole section of this one (1.6:
 * shown with `containerd config dump`), and only where every line of it is understood.
 */
#include "cli/install.h"
#include "cli/programs.h"
#include "cli/toml_lines.h"

#define CRI      "plugins", "io.containerd.grpc.v1.cri"
#define TABLE    "plugins.\"io.containerd.grpc.v1.cri\".containerd"
#define OURS     TABLE ".runtimes." LAZ_INSTALL_NAME
#define KIND     "\"io.containerd.runc.v2\""
#define SHIM     "\"" LAZ_PROGRAMS_SHIM "\""
#define DEFAULT_ "default_runtime_name"

static const char *const top[] = {NULL};
static const char *const table[] = {CRI, "containerd", NULL};
static const char *const ours[] = {CRI, "containerd", "runtimes", LAZ_INSTALL_NAME, NULL};
static const char *const options[] = {
        CRI, "containerd", "runtimes", LAZ_INSTALL_NAME, "options", NULL};
static const char *const runc_options[] = {CRI, "containerd", "runtimes", "runc", "options", NULL};

/* What the lines say. */
struct found {
    struct laz_toml_text version;
    struct laz_toml_text imports;
    struct laz_toml_text disabled;
    size_t table_end; /* behind the line that begins it; 0: none does */
    struct laz_toml_text default_name;
    bool has_ours;
    struct laz_toml_text kind;
    struct laz_toml_text program;
    bool has_systemd; /* what runc is told of control groups */
    bool is_taken;    /* a table that is needed is a value */
};

static int refuse(struct laz_err *err, const char *why)
{
    return laz_err_set(err, LAZ_E_ENGINE_FILE, 0, "%s: %s", laz_install_containerd.path, why);
}

/* The key is one of the tables around ours, or ours. */
static bool is_table(const struct laz_toml_line *line)
{
    size_t n = 0;
    while (n < line->n_parts && options[n] != NULL && laz_toml_is(line->parts[n], options[n])) {
        n++;
    }
    return n == line->n_parts && options[n] != NULL && laz_toml_is(line->key, options[n]);
}

static void take_key(struct found *found, const struct laz_toml_line *line)
{
    struct {
        const char *const *table;
        const char *key;
        struct laz_toml_text *ret;
    } rows[] = {
            {top, "version", &found->version},
            {top, "imports", &found->imports},
            {top, "disabled_plugins", &found->disabled},
            {table, DEFAULT_, &found->default_name},
            {ours, "runtime_type", &found->kind},
            {options, "BinaryName", &found->program},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (laz_toml_is_in(line, rows[i].table) && laz_toml_is(line->key, rows[i].key)) {
            *rows[i].ret = line->value;
        }
    }
    found->is_taken = found->is_taken || is_table(line);
    found->has_systemd = found->has_systemd ||
            (laz_toml_is_in(line, runc_options) && laz_toml_is(line->key, "SystemdCgroup") &&
                    laz_toml_is(line->value, "true"));
}

static int look(const struct laz_buf *text, struct found *ret, struct laz_err *err)
{
    struct laz_toml_line line = {0};
    int more = 0;
    *ret = (struct found){0};
    while ((more = laz_toml_next(text->data, text->len, LAZ_E_ENGINE_FILE, &line, err)) == 1) {
        if (line.kind == LAZ_TOML_TABLE) {
            ret->table_end = laz_toml_is_in(&line, table) ? line.end : ret->table_end;
            ret->has_ours = ret->has_ours || laz_toml_is_below(&line, ours);
        } else if (line.kind == LAZ_TOML_KEY) {
            take_key(ret, &line);
        }
    }
    return more < 0 ? laz_err_context(err, "%s", laz_install_containerd.path) : 0;
}

static int judge(const struct found *found, struct laz_err *err)
{
    bool has_imports = found->imports.length > 0 &&
            (memchr(found->imports.at, '"', found->imports.length) != NULL ||
                    memchr(found->imports.at, '\'', found->imports.length) != NULL);
    if (found->version.length == 0 || !laz_toml_is(found->version, "2")) {
        return refuse(err, "not `version = 2`, the only one that is known here");
    }
    if (laz_toml_has(found->disabled, "cri") ||
            laz_toml_has(found->disabled, "io.containerd.grpc.v1.cri")) {
        return refuse(err, "disabled_plugins has the CRI plugin, which alone has runtimes here");
    }
    if (has_imports) { /* one that has a section of the plugin takes the place of this file's */
        return refuse(err, "it imports other files, which may take the place of what is here");
    }
    if (found->is_taken) {
        return refuse(err, "a table of the CRI plugin is a value there");
    }
    if (found->has_ours &&
            (!laz_toml_is(found->kind, KIND) || !laz_toml_is(found->program, SHIM))) {
        return refuse(err, "it has another runtime that is called lazaret");
    }
    return 0;
}

/* The text with the name of the default runtime, where its table is there. */
static void put_with_default(
        const struct laz_buf *text, const struct found *found, bool wanted, struct laz_buf *ret)
{
    static const char name[] = "\"" LAZ_INSTALL_NAME "\"";
    const struct laz_toml_text *value = &found->default_name;
    if (!wanted || found->table_end == 0) {
        laz_buf_put(ret, text->data, text->len);
    } else if (value->length > 0) {
        size_t at = (size_t)(value->at - text->data);
        laz_buf_put(ret, text->data, at);
        laz_buf_str(ret, name);
        laz_buf_put(ret, value->at + value->length, text->len - at - value->length);
    } else {
        bool has_end = text->data[found->table_end - 1] == '\n';
        laz_buf_put(ret, text->data, found->table_end);
        laz_buf_printf(ret, "%s  " DEFAULT_ " = %s\n", has_end ? "" : "\n", name);
        laz_buf_put(ret, text->data + found->table_end, text->len - found->table_end);
    }
}

static int edit(
        const struct laz_buf *before, bool is_default, struct laz_buf *ret, struct laz_err *err)
{
    struct found found = {0};
    if (before == NULL || before->len == 0) {
        laz_buf_str(ret, "version = 2\n");
    } else if (look(before, &found, err) < 0 || judge(&found, err) < 0) {
        return -1;
    } else {
        put_with_default(before, &found, is_default, ret);
    }
    bool has_end = ret->len == 0 || ret->data[ret->len - 1] == '\n';
    bool needs_table = is_default && found.table_end == 0;
    laz_buf_str(ret, has_end || (found.has_ours && !needs_table) ? "" : "\n");
    if (needs_table) {
        laz_buf_str(ret, "\n[" TABLE "]\n  " DEFAULT_ " = \"" LAZ_INSTALL_NAME "\"\n");
    }
    if (!found.has_ours) {
        laz_buf_str(ret,
                "\n[" OURS "]\n  runtime_type = " KIND "\n\n[" OURS
                ".options]\n  BinaryName = " SHIM "\n");
        laz_buf_str(ret, found.has_systemd ? "  SystemdCgroup = true\n" : "");
    }
    return 0;
}

const struct laz_install_engine laz_install_containerd = {
        .name = "containerd",
        .path = "/etc/containerd/config.toml",
        .edit = edit,
        .then = "systemctl restart containerd",
        .then_back = "systemctl restart containerd",
        .by_hand = "take out the tables of the runtime \"lazaret\", and \"" DEFAULT_
                   "\" where it is \"lazaret\"",
};
