/* SPDX-License-Identifier: Apache-2.0
 *
 * Watched files: what they were, and what they are. inotify says at once where something happens;
 * sweeps over all attributes, and reading all contents again from time to time, find what it does
 * not see: copies of layers, writes through mappings, and what happened while nobody watched.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/deadline.h"
#include "core/fd.h"
#include "init/sense/sense.h"

#define INDEX_SIZE 32768 /* a power of two */
#define DEPTH_MAX  40
#define READ_BYTES 16384 /* of contents for each ms: 16 MiB a second */
#define READ_FILES 2     /* ms for each file, at least */
#define SWEEP_PART 20    /* a sweep takes at most so small a part of the time */
#define EVENTS_MAX 8192
#define BUSY_NS    UINT64_C(1500000000) /* a file is read in vain for so long */
#define SHORT_NS   UINT64_C(50000000)   /* a sweep that the end may wait for */
#define WATCHED                                                                                    \
    (IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |            \
            IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

_Static_assert(INDEX_SIZE == 4 * LAZ_SENSE_FILES_MAX && (INDEX_SIZE & (INDEX_SIZE - 1)) == 0,
        "the index has room, and wraps by a mask");

/* ---- The table ---- */

static uint32_t hash_path(const char *path)
{
    uint32_t hash = 2166136261U; /* FNV-1a: the paths are the policy's and the image's */
    for (; *path != '\0'; path++) {
        hash = (hash ^ (uint8_t)*path) * 16777619U;
    }
    return hash;
}

static const char *path_of(const struct laz_sense *sense, uint32_t i)
{
    return sense->state->paths + sense->state->files[i].path;
}

/* The place in the index where it is, or where it would be. */
static uint32_t *find_place(const struct laz_sense *sense, const char *path)
{
    uint32_t at = hash_path(path) & (INDEX_SIZE - 1);
    while (sense->files.index[at] != 0 &&
            strcmp(path_of(sense, sense->files.index[at] - 1), path) != 0) {
        at = (at + 1) & (INDEX_SIZE - 1);
    }
    return &sense->files.index[at];
}

/* A predecessor's table is taken as far as it holds. */
static void rebuild_index(struct laz_sense *sense)
{
    struct laz_sense_state *state = sense->state;
    uint32_t bytes = state->n_path_bytes;
    bool holds = state->n_files <= LAZ_SENSE_FILES_MAX && bytes <= LAZ_SENSE_PATHS_MAX &&
            (bytes == 0 || state->paths[bytes - 1] == '\0');
    for (uint32_t i = 0; holds && i < state->n_files; i++) {
        holds = state->files[i].path < bytes;
    }
    if (!holds) {
        state->n_files = state->n_path_bytes = 0;
    }
    for (uint32_t i = 0; i < state->n_files; i++) {
        *find_place(sense, path_of(sense, i)) = i + 1;
        sense->files.is_due[i] = 1;
    }
}

/* NULL: there is no room for it. */
static struct laz_sense_file *add_file(struct laz_sense *sense, const char *path, uint32_t *place)
{
    struct laz_sense_state *state = sense->state;
    size_t length = strlen(path) + 1;
    if (state->n_files == LAZ_SENSE_FILES_MAX ||
            length > LAZ_SENSE_PATHS_MAX - state->n_path_bytes) {
        sense->files.n_unwatched++;
        if (!sense->is_first) { /* the record of the start says it */
            laz_sense_tell_limit(sense, LAZ_DETECTOR_FILES, "files", LAZ_SENSE_FILES_MAX);
        }
        return NULL;
    }
    uint32_t i = state->n_files;
    (void)memcpy(state->paths + state->n_path_bytes, path, length);
    state->files[i] = (struct laz_sense_file){.path = state->n_path_bytes};
    state->n_path_bytes += (uint32_t)length;
    state->n_files = i + 1; /* last: it is there when all of it is */
    *place = i + 1;
    return &state->files[i];
}

/* ---- One file ---- */

static bool tell_change(struct laz_sense *sense, const char *path, enum laz_change change,
        const struct laz_file_facts *before, const struct laz_file_facts *after)
{
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    laz_sense_find(&find, LAZ_SENSE_EVENT_FIM_CHANGE, &json, &detail);
    if (!laz_find_name(&find, path)) {
        laz_json_bool(&json, "cut", true);
    }
    (void)snprintf(find.act, sizeof(find.act), "%s", laz_change_name(change));
    laz_file_put(before, after, &json);
    return laz_sense_try(sense, &find, &detail);
}

static void note_unreadable(struct laz_sense *sense, const char *path)
{
    struct laz_sense_files *files = &sense->files;
    if (files->n_unreadable++ == 0) {
        (void)snprintf(files->first_unreadable, sizeof(files->first_unreadable), "%.255s", path);
    }
}

/* Once, until it can be looked at again: nobody hides a file by closing a folder on the way to it.
 * What cannot be from the first on, the record of the start has. NULL: there was no room for it. */
static void tell_unseen(struct laz_sense *sense, const char *path, struct laz_sense_file *file,
        enum laz_sense_file_flag flag)
{
    if (sense->files.is_beginning) {
        note_unreadable(sense, path);
    }
    if (file == NULL || (file->flags & flag) != 0) {
        return;
    }
    if (!sense->files.is_beginning) {
        laz_sense_flush(sense, false); /* what closed it is a record of its own */
    }
    struct laz_file_facts last = file->facts;
    last.content = LAZ_CONTENT_UNREADABLE;
    if (sense->is_first || tell_change(sense, path, LAZ_CHANGE_UNREADABLE, &file->facts, &last)) {
        file->flags |= flag;
    }
}

/* Nobody hides a file by touching it again and again: from time to time it is said without its
 * content. */
static bool is_busy_for_long(struct laz_sense *sense, uint32_t i)
{
    uint64_t *since_ns = &sense->files.busy_ns[i];
    uint64_t now_ns = laz_sense_now_ns();
    bool is_long = *since_ns != 0 && now_ns - *since_ns >= BUSY_NS;
    *since_ns = *since_ns == 0 || is_long ? now_ns : *since_ns;
    return is_long;
}

/* What is it now, its content included, and is that what it was? */
static void judge_file(struct laz_sense *sense, const char *path, struct laz_sense_file *file,
        struct laz_file_facts *now)
{
    uint32_t i = (uint32_t)(file - sense->state->files);
    sense->files.is_due[i] = 0;
    if (laz_sense_read_content(path, now)) {
        sense->files.busy_ns[i] = 0;
    } else {
        sense->files.is_due[i] = 1; /* it is being written: once more, later */
        if (!sense->is_first && !is_busy_for_long(sense, i)) {
            return;
        }
        now->content = sense->is_first ? now->content : LAZ_CONTENT_BUSY;
    }
    enum laz_change change = laz_file_compare(&file->facts, now);
    if (change != LAZ_CHANGE_NONE && !sense->is_first &&
            !tell_change(sense, path, change, &file->facts, now)) {
        sense->files.is_due[i] = 1; /* it stays what it was, and is found again */
        return;
    }
    file->facts = *now;
}

static void look_at(struct laz_sense *sense, const char *path, bool read_anyway)
{
    uint32_t *place = find_place(sense, path);
    struct laz_sense_file *file = *place != 0 ? &sense->state->files[*place - 1] : NULL;
    struct laz_file_facts now;
    bool is_seen = laz_sense_stat(path, &now);
    if (is_seen && file == NULL && !now.is_there) {
        return;
    }
    file = file == NULL ? add_file(sense, path, place) : file;
    if (file == NULL) {
        return;
    }
    sense->files.seen[file - sense->state->files] = sense->files.sweep;
    if (!is_seen) {
        tell_unseen(sense, path, file, LAZ_SENSE_UNSEEN);
        return;
    }
    file->flags &= ~(uint32_t)LAZ_SENSE_UNSEEN;
    if (read_anyway || laz_file_looks_changed(&file->facts, &now)) {
        judge_file(sense, path, file, &now);
    }
}

static bool is_excepted(const struct laz_sense *sense, const char *path)
{
    for (uint32_t i = 0; i < sense->config.n_except; i++) {
        size_t length = strlen(sense->config.except[i]);
        if (strncmp(path, sense->config.except[i], length) == 0 &&
                (path[length] == '/' || path[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* ---- Folders ---- */

static struct laz_sense_folder *folder_of(const struct laz_sense *sense, int wd)
{
    for (size_t i = 0; i < sense->files.n_folders; i++) {
        if (sense->files.folders[i].wd == wd) {
            return &sense->files.folders[i];
        }
    }
    return NULL;
}

/* The kernel has: it was removed. The last one takes its place. */
static void forget_folder(struct laz_sense *sense, struct laz_sense_folder *folder)
{
    free(folder->path);
    *folder = sense->files.folders[--sense->files.n_folders];
}

static void watch_folder(struct laz_sense *sense, const char *path)
{
    struct laz_sense_files *files = &sense->files;
    if (files->n_folders == LAZ_SENSE_FOLDERS_MAX && !files->is_beginning) {
        laz_sense_tell_limit(sense, LAZ_DETECTOR_FILES, "folders", LAZ_SENSE_FOLDERS_MAX);
    }
    bool has_room = files->inotify >= 0 && files->n_folders < LAZ_SENSE_FOLDERS_MAX;
    int wd = has_room ? inotify_add_watch(files->inotify, path, WATCHED) : -1;
    if (wd < 0) {
        return; /* sweeps see it too */
    }
    struct laz_sense_folder *known = folder_of(sense, wd);
    if (known != NULL && strcmp(known->path, path) == 0) {
        return;
    }
    if (known != NULL) {
        char *other = strdup(path);
        free(other != NULL ? known->path : NULL);
        known->path = other != NULL ? other : known->path;
        return;
    }
    struct laz_sense_folder *more =
            reallocarray(files->folders, files->n_folders + 1, sizeof(struct laz_sense_folder));
    if (more == NULL) {
        return;
    }
    files->folders = more;
    more[files->n_folders] = (struct laz_sense_folder){.wd = wd, .path = strdup(path)};
    files->n_folders += more[files->n_folders].path != NULL ? 1 : 0;
}

/* Where a walk is: a path, and the folders that are open on the way to it. */
struct walk {
    char path[LAZ_SENSE_PATH_MAX];
    size_t length;
    unsigned depth;
    DIR *folders[DEPTH_MAX];
    size_t lengths[DEPTH_MAX]; /* of their paths */
};

/* NULL with errno: ENOENT and its like, it is a folder no longer. */
static DIR *open_folder(const struct walk *walk)
{
    if (walk->depth == DEPTH_MAX) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    int fd = open(walk->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        laz_fd_close(&fd);
    }
    return folder;
}

/* Into the folder that the path names. */
static void enter(struct laz_sense *sense, struct walk *walk)
{
    uint32_t number = *find_place(sense, walk->path);
    struct laz_sense_file *file = number == 0 ? NULL : &sense->state->files[number - 1];
    DIR *folder = open_folder(walk);
    if (folder == NULL) {
        if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
            tell_unseen(sense, walk->path, file, LAZ_SENSE_SHUT);
        }
        return;
    }
    if (file != NULL) {
        file->flags &= ~(uint32_t)LAZ_SENSE_SHUT;
    }
    watch_folder(sense, walk->path);
    walk->folders[walk->depth] = folder;
    walk->lengths[walk->depth] = walk->length;
    walk->depth++;
}

/* What the path names, and, of a folder, that it is walked next. */
static void visit(struct laz_sense *sense, struct walk *walk)
{
    struct laz_file_facts now;
    if (is_excepted(sense, walk->path)) {
        return;
    }
    look_at(sense, walk->path, false);
    if (laz_sense_stat(walk->path, &now) && S_ISDIR(now.mode)) {
        enter(sense, walk);
    }
}

/* The next name of the innermost folder, behind its path. False: there is no more. */
static bool next_name(struct walk *walk)
{
    const struct dirent *entry = readdir(walk->folders[walk->depth - 1]);
    if (entry == NULL) {
        return false;
    }
    size_t length = walk->lengths[walk->depth - 1];
    bool is_dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    int n = snprintf(walk->path + length, sizeof(walk->path) - length, "/%s", entry->d_name);
    bool fits = n > 0 && (size_t)n < sizeof(walk->path) - length;
    walk->length = is_dots || !fits ? 0 : length + (size_t)n;
    return true;
}

static void sweep_path(struct laz_sense *sense, struct walk *walk, const char *path)
{
    walk->depth = 0;
    (void)snprintf(walk->path, sizeof(walk->path), "%s", path);
    walk->length = strlen(walk->path);
    visit(sense, walk);
    while (walk->depth > 0) {
        if (!next_name(walk)) {
            (void)closedir(walk->folders[--walk->depth]);
        } else if (walk->length > 0) {
            visit(sense, walk);
        }
    }
}

/* The folder that a watched file is in tells of it, also when it is replaced. */
static void watch_parent(struct laz_sense *sense, const char *path)
{
    char parent[LAZ_SENSE_PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct laz_file_facts facts;
    if (!laz_sense_stat(path, &facts) || S_ISDIR(facts.mode)) {
        return;
    }
    (void)snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    watch_folder(sense, parent);
}

static void sweep(struct laz_sense *sense)
{
    struct laz_sense_files *files = &sense->files;
    struct laz_sense_state *state = sense->state;
    struct walk walk;
    files->sweep++;
    for (uint32_t i = 0; i < sense->config.n_watch; i++) {
        watch_parent(sense, sense->config.watch[i]);
        sweep_path(sense, &walk, sense->config.watch[i]);
    }
    for (uint32_t i = 0; i < state->n_files; i++) {
        if (files->seen[i] != files->sweep && state->files[i].facts.is_there) {
            look_at(sense, path_of(sense, i), false);
        }
    }
}

/* ---- Events ---- */

static bool is_watched(const struct laz_sense *sense, const char *path)
{
    for (uint32_t i = 0; i < sense->config.n_watch; i++) {
        size_t length = strlen(sense->config.watch[i]);
        if (strncmp(path, sense->config.watch[i], length) == 0 &&
                (path[length] == '/' || path[length] == '\0')) {
            return !is_excepted(sense, path);
        }
    }
    return false;
}

/* The first at once; what follows within the interval, at the next sweep: nobody keeps us busy with
 * one file. */
static void on_event_of(struct laz_sense *sense, const char *path, uint64_t now_ns)
{
    uint32_t *place = find_place(sense, path);
    uint64_t soon_ns = sense->config.interval_ms * LAZ_NS_PER_MS;
    if (*place != 0 && now_ns - sense->files.checked_ns[*place - 1] < soon_ns) {
        return;
    }
    look_at(sense, path, false);
    place = find_place(sense, path);
    if (*place != 0) {
        sense->files.checked_ns[*place - 1] = now_ns;
    }
}

/* Whatever is not a whole file in a folder that is known is for the next sweep. What is being
 * created is not whole yet: a link is, but a file may be written now. */
static void take_event(struct laz_sense *sense, const struct inotify_event *event, uint64_t now_ns)
{
    struct laz_sense_folder *folder = folder_of(sense, event->wd);
    char path[LAZ_SENSE_PATH_MAX];
    const uint32_t special =
            IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_ISDIR | IN_CREATE | IN_IGNORED;
    if (folder != NULL && (event->mask & IN_IGNORED) != 0) {
        forget_folder(sense, folder);
        return;
    }
    if (folder == NULL || event->len == 0 || (event->mask & special) != 0) {
        return;
    }
    int n = snprintf(path, sizeof(path), "%s/%s",
            strcmp(folder->path, "/") == 0 ? "" : folder->path, event->name);
    if (n > 0 && (size_t)n < sizeof(path) && is_watched(sense, path)) {
        on_event_of(sense, path, now_ns);
    }
}

static void on_inotify(evutil_socket_t fd, short what, void *context)
{
    struct laz_sense *sense = context;
    _Alignas(struct inotify_event) char memory[EVENTS_MAX];
    uint64_t now_ns = laz_sense_now_ns();
    (void)what;
    ssize_t n = read(fd, memory, sizeof(memory));
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *event = (const void *)(memory + at);
        take_event(sense, event, now_ns);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    laz_sense_flush(sense, false);
}

/* ---- From time to time ---- */

static void read_some(struct laz_sense *sense)
{
    struct laz_sense_files *files = &sense->files;
    uint32_t n = sense->state->n_files;
    uint64_t budget = (uint64_t)READ_BYTES * sense->config.interval_ms;
    uint32_t most = sense->config.interval_ms / READ_FILES;
    unsigned n_read = 0;
    uint32_t first = files->next_due;
    for (uint32_t i = 0; i < n && n_read < most && budget > 0; i++) {
        uint32_t at = (first + i) % n;
        if (files->is_due[at] != 0) {
            uint64_t size = sense->state->files[at].facts.size;
            files->is_due[at] = 0;
            look_at(sense, path_of(sense, at), true);
            budget -= size < budget ? size : budget;
            n_read++;
        }
        files->next_due = (at + 1) % n;
    }
}

void laz_sense_look_at_files(struct laz_sense *sense, uint64_t now_ns)
{
    struct laz_sense_files *files = &sense->files;
    if (!laz_sense_is_on(sense, LAZ_DETECTOR_FILES)) {
        return;
    }
    if (now_ns >= files->next_rehash_ns) {
        (void)memset(files->is_due, 1, sense->state->n_files);
        files->next_rehash_ns = now_ns + sense->config.rehash_ms * LAZ_NS_PER_MS;
    }
    if (now_ns >= files->next_sweep_ns) { /* however much happens: it is a part of the time */
        uint64_t before_ns = laz_sense_used_ns();
        sweep(sense);
        files->took_ns = laz_sense_used_ns() - before_ns;
        files->next_sweep_ns = now_ns + files->took_ns * SWEEP_PART;
    }
    read_some(sense);
}

void laz_sense_sweep_at_last(struct laz_sense *sense)
{
    if (laz_sense_is_on(sense, LAZ_DETECTOR_FILES) && sense->files.took_ns < SHORT_NS) {
        sweep(sense);
    }
}

/* ---- The beginning ---- */

int laz_sense_files_open(struct laz_sense *sense, struct laz_err *err)
{
    struct laz_sense_files *files = &sense->files;
    files->inotify = -1;
    if (!laz_sense_is_on(sense, LAZ_DETECTOR_FILES)) {
        return 0;
    }
    files->index = calloc(INDEX_SIZE, sizeof(*files->index));
    files->seen = calloc(LAZ_SENSE_FILES_MAX, sizeof(*files->seen));
    files->is_due = calloc(LAZ_SENSE_FILES_MAX, sizeof(*files->is_due));
    files->checked_ns = calloc(LAZ_SENSE_FILES_MAX, sizeof(*files->checked_ns));
    files->busy_ns = calloc(LAZ_SENSE_FILES_MAX, sizeof(*files->busy_ns));
    if (files->index == NULL || files->seen == NULL || files->is_due == NULL ||
            files->checked_ns == NULL || files->busy_ns == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the list of files");
    }
    files->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC); /* without it: sweeps alone */
    rebuild_index(sense);
    return 0;
}

int laz_sense_files_begin(struct laz_sense *sense, struct laz_err *err)
{
    struct laz_sense_files *files = &sense->files;
    if (!laz_sense_is_on(sense, LAZ_DETECTOR_FILES)) {
        return 0;
    }
    files->is_beginning = true;
    sweep(sense);
    files->is_beginning = false;
    for (uint32_t i = 0; i < sense->state->n_files; i++) { /* a predecessor's too */
        const struct laz_file_facts *facts = &sense->state->files[i].facts;
        if (facts->is_there && facts->content == LAZ_CONTENT_UNREADABLE) {
            note_unreadable(sense, path_of(sense, i));
        }
    }
    files->next_rehash_ns = laz_sense_now_ns() + sense->config.rehash_ms * LAZ_NS_PER_MS;
    if (files->inotify < 0) {
        return 0;
    }
    files->event = event_new(sense->base, files->inotify, EV_READ | EV_PERSIST, on_inotify, sense);
    if (files->event == NULL || event_add(files->event, NULL) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    return 0;
}
