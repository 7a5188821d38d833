/* SPDX-License-Identifier: Apache-2.0
 *
 * One process, as /proc has it: what it is, and what each of its threads is. Credentials are a
 * thread's, and the first thread may have ended while others go on: a process is held to the worst
 * of those that live.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"
#include "init/sense/sense.h"
#include "sense/credentials.h"

#define PIECE      2048 /* bytes of a status */
#define PATH_BYTES 64   /* "4194304/task/4194304/status" */

size_t laz_sense_read_text(int proc, const char *path, char *memory, size_t size)
{
    laz_cleanup_fd int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t n = fd < 0 ? 0 : 1;
    while (n > 0 && length < size) {
        n = read(fd, memory + length, size - length);
        length += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? 0 : length;
}

static enum laz_sense_status read_status(
        int proc, const char *path, pid_t pid, struct laz_process_status *ret)
{
    char piece[PIECE];
    struct laz_status_text text;
    laz_cleanup_fd int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    text.length = text.line = 0;
    while (n > 0) {
        n = read(fd, piece, sizeof(piece));
        laz_status_add(&text, piece, n > 0 ? (size_t)n : 0);
    }
    if (n < 0 && (errno == ENOENT || errno == ESRCH)) {
        return LAZ_SENSE_STATUS_NONE;
    }
    if (n < 0 || !laz_status_parse(text.bytes, text.length, ret) || ret->pid != pid) {
        return LAZ_SENSE_STATUS_ILLEGIBLE;
    }
    return LAZ_SENSE_STATUS_READ;
}

static DIR *open_threads(int proc, pid_t pid)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%d/task", (int)pid);
    int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        laz_fd_close(&fd);
    }
    return folder;
}

/* The next one but the first thread of all; 0: there is no more. */
static pid_t next_thread(DIR *folder, pid_t pid)
{
    uint64_t number = 0;
    const struct dirent *entry = NULL;
    do {
        entry = readdir(folder);
    } while (entry != NULL &&
            (!laz_parse_u64(entry->d_name, strlen(entry->d_name), INT32_MAX, &number) ||
                    (pid_t)number == pid));
    return entry == NULL ? 0 : (pid_t)number;
}

/* `status` is a thread's that lives. Is it the one to speak of? */
static void take_thread(const struct laz_sense *sense, uint32_t said,
        const struct laz_process_status *status, struct laz_sense_process *process)
{
    uint32_t drifts = laz_credentials_compare(status, &sense->config);
    bool is_news = (drifts & ~said) != 0 && (process->drifts & ~said) == 0;
    if (process->thread == 0 || is_news) {
        pid_t pid = process->status.pid;
        process->thread = status->pid;
        process->status = *status;
        process->status.pid = pid;
    }
    process->drifts |= drifts;
}

/* There are others than the first. Where that one has ended, one of them at least is looked at,
 * however many the rest of the container has. */
static enum laz_sense_status read_threads(
        struct laz_sense *sense, uint32_t said, struct laz_sense_process *process)
{
    pid_t pid = process->status.pid;
    enum laz_sense_status how = LAZ_SENSE_STATUS_READ;
    DIR *folder = open_threads(sense->proc, pid);
    pid_t thread = folder == NULL ? 0 : next_thread(folder, pid);
    while (thread != 0 && how == LAZ_SENSE_STATUS_READ &&
            (sense->threads_left > 0 || process->thread == 0)) {
        char path[PATH_BYTES];
        struct laz_process_status status;
        (void)snprintf(path, sizeof(path), "%d/task/%d/status", (int)pid, (int)thread);
        how = read_status(sense->proc, path, thread, &status);
        if (how == LAZ_SENSE_STATUS_READ && !status.is_zombie) {
            take_thread(sense, said, &status, process);
        }
        how = how == LAZ_SENSE_STATUS_NONE ? LAZ_SENSE_STATUS_READ : how;
        sense->threads_left -= sense->threads_left > 0 ? 1 : 0;
        thread = next_thread(folder, pid);
    }
    if (thread != 0 && how == LAZ_SENSE_STATUS_READ) {
        laz_sense_tell_limit(sense, LAZ_DETECTOR_CREDENTIALS, "threads", LAZ_SENSE_THREADS_MAX);
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return how;
}

enum laz_sense_status laz_sense_read_process(
        struct laz_sense *sense, pid_t pid, uint32_t said, struct laz_sense_process *ret)
{
    char path[PATH_BYTES];
    struct laz_process_status first;
    *ret = (struct laz_sense_process){.status = {.pid = pid}};
    (void)snprintf(path, sizeof(path), "%d/status", (int)pid);
    enum laz_sense_status how = read_status(sense->proc, path, pid, &first);
    if (how != LAZ_SENSE_STATUS_READ) {
        return how;
    }
    ret->is_headless = first.is_zombie;
    if (!first.is_zombie) {
        take_thread(sense, said, &first, ret);
    }
    how = first.threads > 1 ? read_threads(sense, said, ret) : LAZ_SENSE_STATUS_READ;
    return how == LAZ_SENSE_STATUS_READ && ret->thread == 0 ? LAZ_SENSE_STATUS_NONE : how;
}

void laz_sense_path(const struct laz_sense *sense, const struct laz_sense_known *known,
        const char *file, char *ret, size_t size)
{
    pid_t thread = 0;
    if ((known->flags & LAZ_SENSE_HEADLESS) != 0) {
        DIR *folder = open_threads(sense->proc, known->pid);
        thread = folder == NULL ? 0 : next_thread(folder, known->pid);
        if (folder != NULL) {
            (void)closedir(folder);
        }
    }
    if (thread == 0) {
        (void)snprintf(ret, size, "%d/%s", (int)known->pid, file);
    } else {
        (void)snprintf(ret, size, "%d/task/%d/%s", (int)known->pid, (int)thread, file);
    }
}
