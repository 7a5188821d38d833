/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures filters: how long a policy takes to compile and to prove, how many instructions it
 * becomes, how long the kernel takes to load it; and the same for Docker's default profile, built
 * by libseccomp from a list of names, under which it can also run a program. Must never be linked
 * into what is shipped.
 *
 * bench_filter policy FILE ROUNDS
 * bench_filter docker LIST ROUNDS
 * bench_filter docker-run LIST COMMAND...
 */
#include "filter/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <seccomp.h>

#include "core/num.h"
#include "policy/policy.h"

#define NAMESPACE_FLAGS 0x7e020000U
#define NAME_MAX_BYTES  64
#define ROUNDS_MAX      100000

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int fail(const char *what)
{
    (void)fprintf(stderr, "bench_filter: %s: %s\n", what, strerror(errno));
    return 1;
}

/* In a child, because a filter cannot be taken off again. Nanoseconds, 0 if it could not be loaded.
 */
static uint64_t load_once(const struct sock_filter *insns, size_t n, unsigned flags)
{
    uint64_t *took =
            mmap(NULL, sizeof(*took), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (took == MAP_FAILED) {
        return 0;
    }
    *took = 0;
    pid_t child = fork();
    if (child == 0) {
        struct sock_fprog program = {
                .len = (unsigned short)n, .filter = (struct sock_filter *)(uintptr_t)insns};
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        uint64_t began = now_ns();
        long answer = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
        *took = answer < 0 ? 0 : now_ns() - began;
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
    uint64_t answer = *took;
    (void)munmap(took, sizeof(*took));
    return answer;
}

static void print_list(const char *name, const uint64_t *values, size_t n)
{
    (void)printf(",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        (void)printf("%s%llu", i == 0 ? "" : ",", (unsigned long long)values[i]);
    }
    (void)printf("]");
}

struct times {
    uint64_t *compile, *prove, *load;
};

static int times_new(struct times *times, size_t rounds)
{
    times->compile = calloc(rounds, sizeof(uint64_t));
    times->prove = calloc(rounds, sizeof(uint64_t));
    times->load = calloc(rounds, sizeof(uint64_t));
    return times->compile == NULL || times->prove == NULL || times->load == NULL ? -1 : 0;
}

static int policy_measure(const struct laz_policy *policy, size_t rounds, struct laz_err *err)
{
    struct times times;
    enum laz_arch arch = laz_arch_native();
    size_t n = 0;
    uint32_t longest = 0;
    if (times_new(&times, rounds) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for %zu rounds", rounds);
    }
    for (size_t i = 0; i < rounds; i++) {
        laz_cleanup_filter struct laz_filter filter = {0};
        struct laz_filter_proof proof;
        uint64_t began = now_ns();
        if (laz_filter_compile(policy, arch, LAZ_FILTER_WITH_EVENTS, &filter, err) < 0) {
            return -1;
        }
        uint64_t compiled = now_ns();
        if (laz_filter_prove(policy, arch, LAZ_FILTER_WITH_EVENTS, &filter, &proof, err) < 0) {
            return -1;
        }
        times.compile[i] = compiled - began;
        times.prove[i] = now_ns() - compiled;
        times.load[i] = load_once(filter.insns, filter.n, SECCOMP_FILTER_FLAG_NEW_LISTENER);
        n = filter.n;
        longest = filter.longest_path;
    }
    (void)printf("{\"instructions\":%zu,\"longest\":%u", n, longest);
    print_list("compile_ns", times.compile, rounds);
    print_list("prove_ns", times.prove, rounds);
    print_list("load_ns", times.load, rounds);
    (void)printf("}\n");
    free(times.compile);
    free(times.prove);
    free(times.load);
    return 0;
}

static int policy_bench(const char *path, size_t rounds)
{
    struct laz_policy_source source = {
            .path = path, .passwd_path = "/etc/passwd", .group_path = "/etc/group"};
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    struct laz_policy *policy = NULL;
    struct laz_err err = {0};
    if (diagnostics == NULL) {
        return fail("memory");
    }
    int answer = laz_policy_load(&source, diagnostics, &policy, &err);
    free(diagnostics);
    if (answer == 0) {
        answer = policy_measure(policy, rounds, &err);
    }
    laz_policy_free(policy);
    if (answer < 0) {
        (void)fprintf(stderr, "bench_filter: %s\n", err.message);
        return 1;
    }
    return 0;
}

static int names_allow(scmp_filter_ctx context, FILE *list)
{
    char line[NAME_MAX_BYTES];
    while (fgets(line, sizeof(line), list) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        int number = line[0] == '#' ? __NR_SCMP_ERROR : seccomp_syscall_resolve_name(line);
        if (number == __NR_SCMP_ERROR) {
            continue;
        }
        if (seccomp_rule_add(context, SCMP_ACT_ALLOW, number, 0) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What the profile allows under a condition on an argument, for a container with the default
 * capabilities. */
static int conditions_allow(scmp_filter_ctx context)
{
    static const uint64_t personalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};
    int answer = 0;
    for (size_t i = 0; i < sizeof(personalities) / sizeof(personalities[0]); i++) {
        answer |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
                SCMP_A0(SCMP_CMP_EQ, personalities[i], 0));
    }
    answer |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
            SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACE_FLAGS, 0));
    answer |= seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    answer |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(chroot), 0);
    return answer;
}

static scmp_filter_ctx docker_profile(const char *path)
{
    FILE *list = fopen(path, "re");
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (list == NULL || context == NULL) {
        return NULL;
    }
#if defined(__x86_64__)
    (void)seccomp_arch_add(context, SCMP_ARCH_X86);
    (void)seccomp_arch_add(context, SCMP_ARCH_X32);
#endif
    int answer = names_allow(context, list) | conditions_allow(context);
    (void)fclose(list);
    if (answer != 0) {
        seccomp_release(context);
        return NULL;
    }
    return context;
}

static int docker_bench(const char *path, size_t rounds)
{
    struct times times;
    scmp_filter_ctx context = docker_profile(path);
    int code = memfd_create("bpf", MFD_CLOEXEC);
    if (context == NULL || code < 0 || seccomp_export_bpf(context, code) < 0 ||
            times_new(&times, rounds) != 0) {
        return fail("docker's profile");
    }
    off_t size = lseek(code, 0, SEEK_END);
    struct sock_filter *insns = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, code, 0);
    if (insns == MAP_FAILED) {
        return fail("mmap");
    }
    size_t n = (size_t)size / sizeof(*insns);
    for (size_t i = 0; i < rounds; i++) {
        times.load[i] = load_once(insns, n, 0);
    }
    (void)printf("{\"instructions\":%zu", n);
    print_list("load_ns", times.load, rounds);
    (void)printf("}\n");
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t rounds = 0;
    if (argc > 3 && strcmp(argv[1], "docker-run") == 0) {
        scmp_filter_ctx context = docker_profile(argv[2]);
        if (context == NULL || seccomp_load(context) < 0) {
            return fail("docker's profile");
        }
        (void)execvp(argv[3], &argv[3]);
        return fail(argv[3]);
    }
    if (argc == 4 && laz_parse_u64(argv[3], strlen(argv[3]), ROUNDS_MAX, &rounds) && rounds > 0) {
        return strcmp(argv[1], "policy") == 0 ? policy_bench(argv[2], rounds)
                                              : docker_bench(argv[2], rounds);
    }
    (void)fprintf(stderr, "bench_filter policy|docker FILE ROUNDS | docker-run LIST COMMAND...\n");
    return 2;
}
