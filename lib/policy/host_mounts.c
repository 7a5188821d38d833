/* SPDX-License-Identifier: Apache-2.0
 *
 * Two paths are of the same thing where the file system is one and so is the path in it, both of
 * which /proc/self/mountinfo has for each mount (proc_pid_mountinfo(5)). Devices of stat(2) would
 * not do: each subvolume of btrfs has one of its own.
 */
#include "policy/host_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "core/resolve.h"

#define PATH_SIZE 4096               /* the kernel's PATH_MAX, with its NUL */
#define TEXT_MAX  ((size_t)16 << 20) /* some 100,000 mounts, the kernel's own limit */
#define TEXT_STEP ((size_t)64 << 10)

enum word {
    ID,
    PARENT,
    DEVICE,
    ROOT,
    AT,
    OPTIONS,
    WORDS
};

struct laz_mount_row {
    uint64_t id;
    uint64_t parent;
    const char *device;
    const char *root; /* what of its file system it shows; "" for all of it */
    const char *at;   /* "" for / */
    const char *type;
    bool is_read_only;
};

/* ---- the table ---- */

/* A blank is \040. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; to++) {
        bool is_escape = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
                from[2] <= '7' && from[3] >= '0' && from[3] <= '7';
        char c = *from;
        if (is_escape) {
            c = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
        }
        *to = c;
        from += is_escape ? 4 : 1;
    }
    *to = '\0';
}

static const char *take_path(char *text)
{
    unescape(text);
    return strcmp(text, "/") == 0 ? text + 1 : text;
}

/* "36 35 98:0 /part /at options optional... - type source options" */
static bool take_row(char *line, struct laz_mount_row *ret)
{
    char *words[WORDS] = {NULL};
    char *rest = line;
    for (size_t i = 0; i < WORDS; i++) {
        words[i] = strsep(&rest, " ");
        if (rest == NULL) {
            return false;
        }
    }
    char *word = strsep(&rest, " ");
    while (word != NULL && strcmp(word, "-") != 0) {
        word = strsep(&rest, " ");
    }
    ret->type = strsep(&rest, " ");
    ret->device = words[DEVICE];
    ret->is_read_only =
            strncmp(words[OPTIONS], "ro", 2) == 0 && strchr(",", words[OPTIONS][2]) != NULL;
    ret->root = take_path(words[ROOT]);
    ret->at = take_path(words[AT]);
    return ret->type != NULL && laz_parse_u64(words[ID], strlen(words[ID]), UINT64_MAX, &ret->id) &&
            laz_parse_u64(words[PARENT], strlen(words[PARENT]), UINT64_MAX, &ret->parent);
}

static bool read_text(const char *table, struct laz_buf *ret)
{
    char *part = malloc(TEXT_STEP);
    laz_cleanup_fd int fd = open(table, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 || part == NULL ? -1 : 1;
    while (length > 0 && !ret->overflow) {
        length = read(fd, part, TEXT_STEP);
        laz_buf_put(ret, part, length > 0 ? (size_t)length : 0);
    }
    free(part);
    return length == 0 && !ret->overflow;
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (const char *at = strchr(text, '\n'); at != NULL; at = strchr(at + 1, '\n')) {
        n++;
    }
    return n;
}

int laz_sources_read(const char *table, struct laz_sources *ret, struct laz_err *err)
{
    *ret = (struct laz_sources){.n = 0};
    laz_buf_init_heap(&ret->text, TEXT_MAX);
    bool is_read = read_text(table, &ret->text) && ret->text.len > 0;
    size_t n = is_read ? count_lines(ret->text.data) : 0;
    ret->rows = calloc(n + 1, sizeof(*ret->rows));
    is_read = is_read && ret->rows != NULL;
    char *rest = ret->text.data;
    for (size_t i = 0; is_read && i < n; i++) {
        is_read = take_row(strsep(&rest, "\n"), &ret->rows[ret->n++]);
    }
    return is_read ? 0
                   : laz_err_set(err, LAZ_E_REQUEST, 0,
                             "what the host mounts cannot be read from %s", table);
}

void laz_sources_done(struct laz_sources *sources)
{
    laz_buf_done(&sources->text);
    free(sources->rows);
    sources->rows = NULL;
}

/* ---- places ---- */

static const char *plain(const char *path)
{
    return strcmp(path, "/") == 0 ? path + 1 : path;
}

static bool is_in(const char *path, const char *top)
{
    size_t length = strlen(top);
    return strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* As the kernel walks: of what is mounted on a mount, the first on the way. */
static const struct laz_mount_row *find_child(
        const struct laz_sources *sources, const struct laz_mount_row *on, const char *path)
{
    const struct laz_mount_row *best = NULL;
    for (size_t i = 0; i < sources->n; i++) {
        const struct laz_mount_row *row = &sources->rows[i];
        if (row->parent == on->id && row != on && is_in(path, row->at) &&
                (best == NULL || strlen(row->at) < strlen(best->at))) {
            best = row;
        }
    }
    return best;
}

static bool has_parent(const struct laz_sources *sources, const struct laz_mount_row *row)
{
    for (size_t i = 0; i < sources->n; i++) {
        if (sources->rows[i].id == row->parent && &sources->rows[i] != row) {
            return true;
        }
    }
    return false;
}

static const struct laz_mount_row *find_root(const struct laz_sources *sources)
{
    for (size_t i = 0; i < sources->n; i++) {
        if (sources->rows[i].at[0] == '\0' && !has_parent(sources, &sources->rows[i])) {
            return &sources->rows[i];
        }
    }
    return NULL;
}

/* The mount that a path is on. */
static const struct laz_mount_row *find_mount(const struct laz_sources *sources, const char *path)
{
    const struct laz_mount_row *row = find_root(sources);
    const struct laz_mount_row *next = row;
    for (size_t i = 0; next != NULL && i <= sources->n; i++) { /* the table is a tree */
        row = next;
        next = find_child(sources, row, path);
    }
    return row;
}

struct place {
    const char *device;
    char inside[PATH_SIZE]; /* the path in its file system; "" for its root */
};

static bool put_place(const struct laz_mount_row *row, const char *path, struct place *ret)
{
    const char *rest = path + strlen(row->at);
    ret->device = row->device;
    return laz_format(ret->inside, sizeof(ret->inside), "%s%s", row->root, rest) <
            (int)sizeof(ret->inside);
}

/* ---- the judgement ---- */

/* They show the kernel itself, wherever they are mounted; NULL: it is none of them. */
static const char *find_kernels(const char *type)
{
    static const char *const types[] = {"apparmorfs", "autofs", "binder", "binfmt_misc", "bpf",
            "cgroup", "cgroup2", "configfs", "cpuset", "debugfs", "devpts", "devtmpfs", "efivarfs",
            "functionfs", "fusectl", "gadgetfs", "hostfs", "ibmasmfs", "ipathfs", "mqueue", "nfsd",
            "nsfs", "ocfs2_dlmfs", "openpromfs", "pidfs", "proc", "pstore", "resctrl", "rpc_pipefs",
            "s390_hypfs", "securityfs", "selinuxfs", "smackfs", "spufs", "sysfs", "tracefs",
            "xenfs"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0) {
            return types[i];
        }
    }
    return NULL;
}

/* They show folders of other file systems, and nobody says which. A host may have one as its root;
 * elsewhere it is an image's, or who makes a volume has asked for it. */
static bool is_stacked(const char *type)
{
    static const char *const types[] = {"aufs", "ecryptfs", "overlay", "shiftfs"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i], type) == 0) {
            return true;
        }
    }
    return false;
}

/* Where a denied path really is: /var/lib/docker may be a link to another disk. One that is absent,
 * or too long, stays what it is. */
static const char *resolve(const char *path, char ret[PATH_SIZE])
{
    laz_cleanup_fd int fd = laz_resolve_open(AT_FDCWD, path, O_PATH, RESOLVE_NO_SYMLINKS);
    return fd < 0 && errno == ELOOP && realpath(path, ret) != NULL ? ret : path;
}

/* The name that a place has by way of another, which is at `path`; the path itself, where that is
 * in the place. false: they have nothing in common. */
static bool put_name(const struct place *place, const char *device, const char *inside,
        const char *path, char ret[PATH_SIZE])
{
    if (strcmp(place->device, device) != 0) {
        return false;
    }
    bool is_part = is_in(inside, place->inside);
    if (!is_part && !is_in(place->inside, inside)) {
        return false;
    }
    const char *rest = is_part ? "" : place->inside + strlen(inside);
    if (laz_format(ret, PATH_SIZE, "%s%s", path, rest) >= PATH_SIZE || ret[0] == '\0') {
        (void)laz_format(ret, PATH_SIZE, "%s", path[0] == '\0' ? "/" : path);
    }
    return true;
}

/* The next name that a place has, or a part of it, by a mount that can be seen. What is `below` is
 * no name of the host's; NULL: nothing is. */
static bool next_name(const struct laz_sources *sources, const struct place *place,
        const char *below, size_t *at, char ret[PATH_SIZE])
{
    while (*at < sources->n) {
        const struct laz_mount_row *row = &sources->rows[(*at)++];
        if ((below == NULL || !is_in(row->at, below)) &&
                put_name(place, row->device, row->root, row->at, ret) &&
                find_mount(sources, row->at) == row) {
            return true;
        }
    }
    return false;
}

static const char *judge_name(
        const struct laz_policy_host *host, const char *own, const char *name, bool is_writable)
{
    const char *why = laz_host_mount_refusal(host, name, is_writable);
    bool is_own = own != NULL && (is_in(plain(name), own) || is_in(own, plain(name)));
    return why == NULL && is_own && !laz_host_allows_mount(host, name) ? own : why;
}

/* By a denied path that is a link. */
static const char *judge_link(const struct laz_sources *sources, const struct laz_policy_host *host,
        const char *own, const char *denied, const struct place *place, bool is_writable)
{
    char name[PATH_SIZE];
    char real[PATH_SIZE];
    struct place other;
    const char *path = resolve(denied, real);
    const struct laz_mount_row *row = path == denied ? NULL : find_mount(sources, plain(path));
    if (row == NULL) {
        return NULL;
    }
    if (!put_place(row, plain(path), &other)) {
        return denied;
    }
    return put_name(place, other.device, other.inside, denied, name)
            ? judge_name(host, own, name, is_writable)
            : NULL;
}

static const char *judge_place(const struct laz_sources *sources,
        const struct laz_policy_host *host, const char *own, const struct place *place,
        const char *below, bool is_writable)
{
    char name[PATH_SIZE];
    const char *denied = NULL;
    const char *why = NULL;
    size_t at = 0;
    while (why == NULL && next_name(sources, place, below, &at, name)) {
        const struct laz_mount_row *row = &sources->rows[at - 1];
        bool is_veiled = is_stacked(row->type) && row->at[0] != '\0' &&
                !laz_host_allows_mount(host, row->at);
        why = is_veiled ? row->type : judge_name(host, own, name, is_writable);
    }
    for (size_t i = 0; why == NULL && (denied = laz_host_denied(host, i)) != NULL; i++) {
        why = judge_link(sources, host, own, denied, place, is_writable);
    }
    return why != NULL || own == NULL ? why
                                      : judge_link(sources, host, own, own, place, is_writable);
}

static const char *judge_one(const struct laz_sources *sources, const struct laz_policy_host *host,
        const char *own, const char *source, bool is_writable)
{
    struct place place;
    const char *path = plain(source);
    const struct laz_mount_row *row = find_mount(sources, path);
    const char *why = laz_host_mount_refusal(host, source, is_writable);
    if (why != NULL) {
        return why;
    }
    if (row == NULL || !put_place(row, path, &place)) {
        return "/";
    }
    why = find_kernels(row->type);
    return why != NULL && !laz_host_allows_mount(host, source)
            ? why
            : judge_place(sources, host, own, &place, NULL, is_writable);
}

const char *laz_source_refusal(const struct laz_sources *sources,
        const struct laz_policy_host *host, const char *own, const char *source,
        const struct laz_source_use *use)
{
    const char *why = judge_one(sources, host, own, source, use->is_writable);
    for (size_t i = 0; why == NULL && use->is_recursive && i < sources->n; i++) {
        const struct laz_mount_row *row = &sources->rows[i];
        if (is_in(row->at, plain(source)) && strcmp(row->at, plain(source)) != 0 &&
                find_mount(sources, row->at) == row) {
            why = judge_one(sources, host, own, row->at, use->is_writable_below);
        }
    }
    return why;
}

bool laz_source_is_in(const struct laz_sources *sources, const char *path, const char *folder)
{
    struct place place;
    char name[PATH_SIZE];
    size_t at = 0;
    bool is = false;
    const struct laz_mount_row *row = find_mount(sources, plain(path));
    if (row == NULL || !put_place(row, plain(path), &place)) {
        return true;
    }
    while (!is && next_name(sources, &place, NULL, &at, name)) {
        bool is_all = is_in(place.inside, sources->rows[at - 1].root); /* not a part of it alone */
        is = is_all && is_in(name, folder);
    }
    return is;
}

/* ---- what is mounted already ---- */

/* The container's own, over parts of which runtimes lay other parts of it. */
static bool is_part_of(const struct laz_sources *sources, const struct laz_mount_row *row,
        const char *root, const char *at)
{
    size_t length = strlen(root);
    for (size_t i = 0; i < sources->n; i++) {
        const struct laz_mount_row *other = &sources->rows[i];
        if (is_in(other->at, root) && strcmp(other->at + length, at) == 0 &&
                strcmp(other->device, row->device) == 0) {
            return true;
        }
    }
    return false;
}

/* Where engines mount the kernel's own. Control groups of version 1 are many file systems. */
static bool is_as_engines_do(
        const struct laz_sources *sources, const struct laz_mount_row *row, const char *root)
{
    static const struct {
        const char *type;
        const char *at;
    } known[] = {{"proc", "/proc"}, {"sysfs", "/sys"}, {"mqueue", "/dev/mqueue"},
            {"cgroup", "/sys/fs/cgroup"}, {"cgroup2", "/sys/fs/cgroup"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(row->type, known[i].type) == 0 && is_in(row->at + strlen(root), known[i].at)) {
            return strncmp(row->type, "cgroup", strlen("cgroup")) == 0 ||
                    is_part_of(sources, row, root, known[i].at);
        }
    }
    return false;
}

/* A mount without a name of the host's is one of these, or its name is hidden. */
static bool is_new(
        const struct laz_sources *sources, const struct laz_mount_row *row, const char *root)
{
    return strcmp(row->type, "tmpfs") == 0 || strcmp(row->type, "ramfs") == 0 ||
            is_part_of(sources, row, root, "") ||
            (strcmp(row->type, "devpts") == 0 && is_part_of(sources, row, root, "/dev/pts")) ||
            is_as_engines_do(sources, row, root);
}

/* A /proc is made for each container, and so are queues, unless the host's may be its own. */
static bool is_made_anew(const struct laz_policy_host *host, const char *type)
{
    bool is_queues = strcmp(type, "mqueue") == 0;
    return strcmp(type, "proc") == 0 ||
            (is_queues && (host->namespaces >> LAZ_HOST_NAMESPACE_IPC & 1) == 0);
}

/* crun hides files behind the host's null; and in a user namespace, where nobody makes devices,
 * runtimes bind those that each container has, and those of linux.devices. */
static bool is_bound_device(const struct laz_policy_host *host, const char *name)
{
    static const char *const common[] = {
            "/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"};
    bool is = false;
    for (size_t i = 0; !is && i < sizeof(common) / sizeof(common[0]); i++) {
        is = strcmp(name, common[i]) == 0;
    }
    for (size_t i = 0; !is && i < host->devices.n; i++) {
        is = strcmp(name, host->devices.items[i]) == 0;
    }
    return is;
}

static const char *judge_row(const struct laz_sources *sources, const struct laz_policy_host *host,
        const struct laz_mounted *mounted, const struct laz_mount_row *row, bool is_writable)
{
    const char *root = mounted->root;
    struct place place;
    char name[PATH_SIZE];
    size_t at = 0;
    bool is_known = false;
    bool is_allowed = find_kernels(row->type) == NULL;
    if (!put_place(row, row->at, &place)) {
        return "/";
    }
    while (next_name(sources, &place, root, &at, name)) {
        bool is_in_it = is_in(place.inside, sources->rows[at - 1].root); /* not around it */
        if (is_in_it && is_bound_device(host, name)) {
            return NULL;
        }
        is_known = true;
        is_allowed = is_allowed || laz_host_allows_mount(host, name);
    }
    if (is_as_engines_do(sources, row, root) && !is_made_anew(host, row->type)) {
        return NULL;
    }
    if (!is_known) {
        return is_new(sources, row, root) ? NULL : row->type;
    }
    return is_allowed ? judge_place(sources, host, mounted->records, &place, root, is_writable)
                      : row->type;
}

/* The words of config.json are of this mount, if it is the only one at its place. */
static bool is_alone(const struct laz_sources *sources, const struct laz_mount_row *row)
{
    size_t n = 0;
    for (size_t i = 0; i < sources->n; i++) {
        n += strcmp(sources->rows[i].at, row->at) == 0;
    }
    return n == 1;
}

const char *laz_mounted_refusal(const struct laz_sources *sources,
        const struct laz_policy_host *host, const struct laz_mounted *mounted, const char **ret_at)
{
    bool has_ours = false;
    const char *why = NULL;
    size_t length = strlen(mounted->root);
    for (size_t i = 0; why == NULL && i < sources->n; i++) {
        const struct laz_mount_row *row = &sources->rows[i];
        if (!is_in(row->at, mounted->root) || row->at[length] == '\0') {
            continue;
        }
        *ret_at = row->at + length;
        bool is_ours = mounted->ours != NULL && strcmp(*ret_at, mounted->ours) == 0;
        bool is_writable = !row->is_read_only &&
                !(is_alone(sources, row) && mounted->becomes_read_only(mounted->context, *ret_at));
        has_ours = has_ours || is_ours;
        why = is_ours && !is_writable ? NULL : judge_row(sources, host, mounted, row, is_writable);
    }
    if (why == NULL && !has_ours &&
            mounted->ours != NULL) { /* it is another root, or another table */
        *ret_at = mounted->ours;
        why = "nothing";
    }
    return why;
}
