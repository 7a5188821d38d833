/* SPDX-License-Identifier: Apache-2.0
 *
 * A dockerd that runs here, and words of its command line that are at odds with its file. With a
 * default runtime in both it does not start. Runtimes it takes from both when it starts, but a
 * reload forgets those of the command line, and 20.10 crashes if the default is one of them. A
 * dockerd that is not running is not known.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/install.h"
#include "core/fd.h"

#define LINE_MAX  ((size_t)64 << 10)
#define LINK_MAX  64
#define PART_SIZE 4096 /* read at once */

/* As long as it is there, and as much as it has. */
static void read_all(int process, const char *name, struct laz_buf *ret)
{
    char part[PART_SIZE];
    ssize_t n = 0;
    laz_cleanup_fd int fd = openat(process, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0) {
        laz_buf_put(ret, part, (size_t)n);
    }
}

/* In the same mounts: the file that it reads is the one that is changed. */
static bool is_ours(int process)
{
    char own[LINK_MAX];
    char other[LINK_MAX];
    ssize_t length = readlink("/proc/self/ns/mnt", own, sizeof(own));
    return length > 0 && readlinkat(process, "ns/mnt", other, sizeof(other)) == length &&
            memcmp(own, other, (size_t)length) == 0;
}

static bool is_dockerd(int process)
{
    static const char name[] = "dockerd\n";
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LINE_MAX);
    read_all(process, "comm", &text);
    return text.len == sizeof(name) - 1 && memcmp(text.data, name, text.len) == 0;
}

/* "--word" or "--word=value"; the value, or the next word. */
static const char *value_of(const char *word, const char *next, const char *option)
{
    size_t length = strlen(option);
    if (strncmp(word, option, length) != 0) {
        return NULL;
    }
    if (word[length] == '=') {
        return word + length + 1;
    }
    return word[length] == '\0' ? next : NULL;
}

static int judge_word(
        const char *word, const char *next, bool is_default, const char *pid, struct laz_err *err)
{
    const char *config = value_of(word, next, "--config-file");
    if (config != NULL && strcmp(config, laz_install_docker.path) != 0) {
        return laz_err_set(err, LAZ_E_ENGINE_FILE, 0,
                "dockerd (process %s) reads %.128s, and not %s", pid, config,
                laz_install_docker.path);
    }
    if (value_of(word, next, "--add-runtime") != NULL) {
        return laz_err_set(err, LAZ_E_ENGINE_FILE, 0,
                "dockerd (process %s) was started with --add-runtime, which a reload with "
                "\"runtimes\" in %s forgets: move it from the command line into the file first",
                pid, laz_install_docker.path);
    }
    if (is_default && value_of(word, next, "--default-runtime") != NULL) {
        return laz_err_set(err, LAZ_E_ENGINE_FILE, 0,
                "dockerd (process %s) was started with --default-runtime, and takes no "
                "\"default-runtime\" of %s beside it: take it out of the command line first",
                pid, laz_install_docker.path);
    }
    return 0;
}

static int judge(int process, bool is_default, const char *pid, struct laz_err *err)
{
    laz_cleanup_buf struct laz_buf line;
    laz_buf_init_heap(&line, LINE_MAX);
    read_all(process, "cmdline", &line);
    for (size_t at = 0; at < line.len;) {
        const char *word = line.data + at;
        at += strlen(word) + 1;
        if (judge_word(word, at < line.len ? line.data + at : "", is_default, pid, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int is_process(const struct dirent *entry)
{
    return entry->d_name[strspn(entry->d_name, "0123456789")] == '\0';
}

int laz_install_dockerd_look(bool is_default, struct laz_err *err)
{
    int result = 0;
    struct dirent **entries = NULL;
    int n = scandir("/proc", &entries, is_process, NULL);
    laz_cleanup_fd int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < n; i++) {
        laz_cleanup_fd int process =
                openat(proc, entries[i]->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (result == 0 && process >= 0 && is_dockerd(process) && is_ours(process)) {
            result = judge(process, is_default, entries[i]->d_name, err);
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}
