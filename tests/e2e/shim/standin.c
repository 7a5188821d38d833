/* SPDX-License-Identifier: Apache-2.0
 *
 * A stand-in for a container runtime: it appends what it was given, as one line of JSON, to the
 * file "record" beside itself, and then becomes the program that the file "then" beside it names,
 * if there is one. What it was given is all that a process inherits: words, environment,
 * descriptors, folder, signals, limits, death signal; and the files that the words name, with their
 * bytes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES_MAX (1 << 20)

extern char **environ;

static FILE *out;

static void put_string(const char *text, size_t length)
{
    (void)fputc('"', out);
    for (size_t i = 0; i < length; i++) {
        (void)fprintf(out, "\\u%04x", (unsigned char)text[i]);
    }
    (void)fputc('"', out);
}

static void put_text(const char *key, const char *text)
{
    (void)fprintf(out, ",\"%s\":", key);
    put_string(text, strlen(text));
}

static void put_list(const char *key, char *const *list)
{
    (void)fprintf(out, ",\"%s\":[", key);
    for (size_t i = 0; list[i] != NULL; i++) {
        (void)fputs(i == 0 ? "" : ",", out);
        put_string(list[i], strlen(list[i]));
    }
    (void)fputc(']', out);
}

static void put_number(const char *key, long long number)
{
    (void)fprintf(out, ",\"%s\":%lld", key, number);
}

static void put_bytes(const char *key, int fd)
{
    char *bytes = malloc(BYTES_MAX);
    size_t length = 0;
    ssize_t n = 1;
    while (bytes != NULL && length < BYTES_MAX && n > 0) {
        n = read(fd, bytes + length, BYTES_MAX - length);
        length += n > 0 ? (size_t)n : 0;
    }
    (void)fprintf(out, ",\"%s\":", key);
    put_string(bytes, length);
    free(bytes);
}

static void put_file(const char *key, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        put_bytes(key, fd);
        (void)close(fd);
    }
}

/* Number, flags, what it is, and how far it was read. */
static void put_descriptors(int own)
{
    struct stat status;
    const char *between = "";
    (void)fputs(",\"descriptors\":[", out);
    for (int fd = 0; fd < 256; fd++) {
        if (fd == own || fstat(fd, &status) < 0) {
            continue;
        }
        long long offset = S_ISREG(status.st_mode) ? (long long)lseek(fd, 0, SEEK_CUR) : 0;
        (void)fprintf(out, "%s[%d,%d,%d,%u,%llu,%llu,%lld]", between, fd, fcntl(fd, F_GETFD),
                fcntl(fd, F_GETFL), status.st_mode, (unsigned long long)status.st_dev,
                (unsigned long long)status.st_ino, offset);
        between = ",";
    }
    (void)fputc(']', out);
}

static void put_process(void)
{
    int death = 0;
    char folder[PATH_MAX] = "";
    (void)prctl(PR_GET_PDEATHSIG, &death);
    put_number("pid", getpid());
    put_number("parent", getppid());
    put_number("group", getpgrp());
    put_number("session", getsid(0));
    put_number("death-signal", death);
    put_number("subreaper", prctl(PR_GET_CHILD_SUBREAPER, &death) == 0 ? death : -1);
    put_number("secure-bits", prctl(PR_GET_SECUREBITS));
    put_number("dumpable", prctl(PR_GET_DUMPABLE));
    put_number("timer-slack", prctl(PR_GET_TIMERSLACK));
    put_number("personality", personality(0xffffffff));
    put_number("io-priority", syscall(SYS_ioprio_get, 1, 0));
    put_text("folder", getcwd(folder, sizeof(folder)) == NULL ? "?" : folder);
    put_file("status", "/proc/self/status");
    put_file("limits", "/proc/self/limits");
    put_file("oom", "/proc/self/oom_score_adj");
    put_file("core", "/proc/self/coredump_filter");
    put_file("cgroup", "/proc/self/cgroup");
    put_file("command", "/proc/self/comm");
}

/* What the words name. */
static void put_named(char *const *argv, int may_read)
{
    for (size_t i = 0; argv[i] != NULL && argv[i + 1] != NULL; i++) {
        char path[PATH_MAX];
        if (strcmp(argv[i], "--bundle") == 0) {
            int n = snprintf(path, sizeof(path), "%s/config.json", argv[i + 1]);
            put_file("config", n < PATH_MAX ? path : "");
        } else if (strcmp(argv[i], "--process") == 0 || strcmp(argv[i], "-p") == 0) {
            put_file("process", argv[i + 1]);
        } else if (may_read && strcmp(argv[i], "--resources") == 0 &&
                strcmp(argv[i + 1], "-") == 0) {
            put_bytes("stdin", 0);
        }
    }
}

int main(int argc, char **argv)
{
    char path[PATH_MAX];
    char beside[PATH_MAX + 8];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (argc < 1 || length <= 0) {
        return 97;
    }
    path[length] = '\0';
    *(strrchr(path, '/') + 1) = '\0';
    (void)snprintf(beside, sizeof(beside), "%srecord", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int own = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 300);
    (void)close(fd);
    out = own < 0 ? NULL : fdopen(own, "a");
    if (out == NULL) {
        return 98;
    }
    (void)setvbuf(out, malloc(8 * BYTES_MAX), _IOFBF, (size_t)8 * BYTES_MAX);
    (void)fputs("{\"lines\":1", out);
    put_descriptors(own);
    put_process();
    put_list("words", argv);
    put_list("environment", environ);
    (void)snprintf(beside, sizeof(beside), "%sthen", path);
    length = readlink(beside, path, sizeof(path) - 1);
    put_named(argv, length <= 0);
    (void)fputs("}\n", out);
    if (fclose(out) != 0) {
        return 99;
    }
    if (length > 0) {
        path[length] = '\0';
        (void)execv(path, argv);
        return 96;
    }
    return 0;
}
