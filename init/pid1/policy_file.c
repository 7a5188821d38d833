/* SPDX-License-Identifier: Apache-2.0
 *
 * How PID 1 gets its policy: a compiled one is read, checked and decoded; a YAML one is handed to
 * lazaret-setup, which leaves the compiled form in a memfd. PID 1 itself parses no text.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"
#include "init/pid1/launcher.h"
#include "init/pid1/pid1.h"

#define SETUP_NAME      "lazaret-setup"
#define SETUP_ELSEWHERE LAZ_LAUNCHER_ELSEWHERE SETUP_NAME
#define SETUP_FD        3

/* A link is nobody's word for what it leads to; what a pin names may lie anywhere. */
static int refuse_opening(const char *path, bool has_pin, struct laz_err *err)
{
    if (errno != ELOOP || has_pin) {
        return laz_err_set_errno(err, LAZ_E_POLICY_ABSENT, path);
    }
    char target[LAZ_FILE_PATH_MAX] = "";
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    return laz_err_set(err, LAZ_E_POLICY_UNSAFE, ELOOP,
            "%.256s: is a link (to %.128s) and not pinned", path, n > 0 ? target : "?");
}

static int open_policy_file(
        const struct laz_options *options, const char **ret_path, struct laz_err *err)
{
    static const char *const places[] = {LAZ_POLICY_IMAGE_PATH, LAZ_POLICY_YAML_PATH};
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK /* a FIFO must not hold us */
            | (options->has_pin ? 0 : O_NOFOLLOW);
    if (options->policy != NULL) {
        *ret_path = options->policy;
        int fd = open(options->policy, flags);
        return fd >= 0 ? fd : refuse_opening(options->policy, options->has_pin, err);
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        *ret_path = places[i];
        int fd = open(places[i], flags);
        if (fd >= 0) {
            return fd;
        }
        if (errno != ENOENT && errno != ENOTDIR) {
            return refuse_opening(places[i], options->has_pin, err);
        }
    }
    return laz_err_set(err, LAZ_E_POLICY_ABSENT, ENOENT,
            "neither " LAZ_POLICY_IMAGE_PATH " nor " LAZ_POLICY_YAML_PATH " exists");
}

/* Pinned files prove themselves; others must be beyond anybody else's reach. */
static int check_file(int fd, const char *path, bool has_pin, size_t *ret_size, bool *ret_is_roots,
        struct laz_err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, path);
    }
    if (!S_ISREG(status.st_mode)) {
        return laz_err_set(err, LAZ_E_POLICY_UNSAFE, 0, "%.256s: not a regular file", path);
    }
    if (!has_pin && status.st_uid != 0) {
        return laz_err_set(err, LAZ_E_POLICY_UNSAFE, 0, "%.256s: owned by user %u, not by root",
                path, status.st_uid);
    }
    if (!has_pin && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return laz_err_set(err, LAZ_E_POLICY_UNSAFE, 0,
                "%.256s: writable by group or others (mode %04o)", path, status.st_mode & 07777);
    }
    *ret_size = (size_t)status.st_size;
    /* in a user namespace user 0 is the container's, and our own program still the host's */
    *ret_is_roots = status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
            stat("/proc/self/exe", &status) == 0 && status.st_uid == 0;
    return 0;
}

/* A pin is the hash of the file as sha256sum(1) prints it, or the source digest. A compiled policy
 * only claims to be of these sources, and whoever may write it can make it claim so. */
static int check_pin(const struct laz_image *image, const void *block, size_t length,
        const uint8_t pin[LAZ_SHA256_SIZE], bool is_believed, struct laz_err *err)
{
    uint8_t file_digest[LAZ_SHA256_SIZE];
    bool is_claimed = memcmp(pin, image->source_digest, LAZ_SHA256_SIZE) == 0;
    if (is_claimed && is_believed) {
        return 0;
    }
    laz_sha256_of(block, length, file_digest);
    if (memcmp(pin, file_digest, LAZ_SHA256_SIZE) == 0) {
        return 0;
    }
    if (is_claimed) {
        return laz_err_set(err, LAZ_E_POLICY_PIN, 0,
                "a compiled policy that is not root's alone is pinned by the hash of its file");
    }
    char text[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(image->source_digest, LAZ_SHA256_SIZE, text);
    return laz_err_set(err, LAZ_E_POLICY_PIN, 0,
            "the pin names another policy; this one's source digest is %s", text);
}

/* The decoder knows no third. */
static const char *name_of(uint32_t audit_arch)
{
    return audit_arch == AUDIT_ARCH_AARCH64 ? "aarch64" : "x86-64";
}

static int take_block(struct laz_pid1 *pid1, const void *block, size_t length, bool is_believed,
        struct laz_err *err)
{
    if (laz_image_decode(block, length, &pid1->image, err) < 0) {
        return -1;
    }
    if (pid1->image.audit_arch != LAZ_NATIVE_AUDIT_ARCH) {
        return laz_err_set(err, LAZ_E_IMAGE_CORRUPT, 0,
                "compiled policy: for another architecture: %s (%#x); this is %s",
                name_of(pid1->image.audit_arch), pid1->image.audit_arch,
                name_of(LAZ_NATIVE_AUDIT_ARCH));
    }
    if (pid1->options.has_pin &&
            check_pin(&pid1->image, block, length, pid1->options.pin, is_believed, err) < 0) {
        return -1;
    }
    pid1->has_image = true;
    pid1->trail.ctr = pid1->image.name;
    return 0;
}

static int read_image(
        struct laz_pid1 *pid1, int fd, size_t size, bool is_believed, struct laz_err *err)
{
    if (size == 0 || size > LAZ_IMAGE_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "a compiled policy has 1 to %d bytes, this file has %zu", LAZ_IMAGE_MAX, size);
    }
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
        return laz_err_set_errno(err, LAZ_E_MEMORY, "mmap");
    }
    size_t length = 0;
    if (laz_fd_read_all(fd, block, size, &length, err) < 0) {
        return -1;
    }
    /* stays mapped: the decoded form points into it */
    return take_block(pid1, block, length, is_believed, err);
}

static _Noreturn void setup_in_child(const char *program, const char *policy, int fd, bool pinned)
{
    const char *const arguments[] = {SETUP_NAME, pinned ? "--pinned" : "--unpinned", policy, NULL};
    char *const environment[] = {NULL};
    uint64_t none = 0;
    if (fd == SETUP_FD) {
        (void)fcntl(fd, F_SETFD, 0);
    } else if (dup2(fd, SETUP_FD) < 0) {
        _exit(109);
    }
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
    (void)execve(program, laz_unconst(arguments), environment);
    _exit(errno == ENOENT ? 127 : 126);
}

static int start_setup(struct laz_pid1 *pid1, const char *policy, struct laz_err *err)
{
    char program[LAZ_FILE_PATH_MAX];
    laz_launcher_find(SETUP_NAME, program, sizeof(program));
    pid1->setup_fd = memfd_create("lazaret-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (pid1->setup_fd < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, "memfd_create");
    }
    /* Not libc's fork: it takes the signal mask away and puts it back, and the mask is what PID 1
     * relies on. */
    pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, 0UL, 0UL, 0UL, 0UL);
    if (pid == 0) {
        setup_in_child(program, policy, pid1->setup_fd, pid1->options.has_pin);
    }
    if (pid < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, "fork");
    }
    pid1->setup_pid = pid;
    return 0;
}

int laz_pid1_open_policy(struct laz_pid1 *pid1, struct laz_err *err)
{
    const char *path = NULL;
    laz_cleanup_fd int fd = open_policy_file(&pid1->options, &path, err);
    if (fd < 0) {
        return -1;
    }
    size_t size = 0;
    bool is_roots = false;
    if (check_file(fd, path, pid1->options.has_pin, &size, &is_roots, err) < 0) {
        return -1;
    }
    char magic[8] = {0};
    ssize_t n = pread(fd, magic, sizeof(magic), 0);
    if (n < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, path);
    }
    if (n == (ssize_t)sizeof(magic) && memcmp(magic, LAZ_IMAGE_MAGIC, sizeof(magic)) == 0) {
        if (read_image(pid1, fd, size, is_roots, err) < 0) {
            return laz_err_context(err, "%.200s", path);
        }
        return 0;
    }
    return start_setup(pid1, path, err);
}

int laz_pid1_take_setup(struct laz_pid1 *pid1, int status, struct laz_err *err)
{
    pid1->setup_pid = 0;
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127)) {
        return laz_err_set(err, LAZ_E_SETUP_FAILED, 0,
                "lazaret-setup is neither beside lazaret-init nor at " SETUP_ELSEWHERE
                ", or cannot be executed");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) > LAZ_E_NONE &&
            WEXITSTATUS(status) < LAZ_E_COUNT) {
        char message[LAZ_ERR_MESSAGE_MAX];
        ssize_t n = pread(pid1->setup_fd, message, sizeof(message) - 1, 0);
        message[n > 0 ? n : 0] = '\0';
        return laz_err_set(err, (enum laz_err_kind)WEXITSTATUS(status), 0, "%s",
                n > 0 ? message : "lazaret-setup refused the policy; it has said why on stderr");
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return laz_err_set(err, LAZ_E_SETUP_FAILED, 0, "lazaret-setup ended with %s %d",
                WIFSIGNALED(status) ? "signal" : "exit code",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    const unsigned seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    struct stat file;
    if (fcntl(pid1->setup_fd, F_ADD_SEALS, seals) < 0 || fstat(pid1->setup_fd, &file) < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, "sealing");
    }
    if (file.st_size <= 0 || file.st_size > LAZ_IMAGE_MAX) {
        return laz_err_set(err, LAZ_E_SETUP_FAILED, 0, "lazaret-setup left %lld bytes",
                (long long)file.st_size);
    }
    size_t length = (size_t)file.st_size;
    const void *block = mmap(NULL, length, PROT_READ, MAP_SHARED, pid1->setup_fd, 0);
    laz_fd_close(&pid1->setup_fd);
    if (block == MAP_FAILED) {
        return laz_err_set_errno(err, LAZ_E_MEMORY, "mmap");
    }
    return take_block(pid1, block, length, true, err); /* setup has read the sources */
}
