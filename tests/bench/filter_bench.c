/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_bench POLICY [ROUNDS]: what the filters of a policy cost, as one line of JSON for each of
 * the two: size, longest and mean path, medians of the time to compile, to prove, and to load into
 * the kernel.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/num.h"
#include "filter/filter.h"

#define ROUNDS_MAX 1000

static double now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare);
    return values[n / 2];
}

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "filter_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

/* In a child, because a filter stays. */
static double load_us(const struct laz_filter *filter, unsigned flags)
{
    double *shared =
            mmap(NULL, sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        fail("no memory");
    }
    *shared = -1;
    pid_t pid = fork();
    if (pid == 0) {
        const struct sock_fprog program = {
                .len = (unsigned short)filter->n, .filter = filter->insns};
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL);
        double start = now_us();
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) >= 0) {
            *shared = now_us() - start; /* a store: whatever the filter allows */
        }
        (void)syscall(SYS_exit_group, 0);
    }
    if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
        fail("no child");
    }
    double result = *shared;
    (void)munmap(shared, sizeof(double));
    return result;
}

/* Over the numbers that the kernel has: what it walks at load time, and before 5.11 on every call.
 */
static double mean_path(const struct laz_filter *filter, enum laz_arch arch)
{
    double steps = 0;
    double n = 0;
    for (uint32_t nr = 0; nr <= LAZ_SYSCALL_NR_MAX; nr++) {
        if (laz_syscall_by_nr(arch, nr) != NULL) {
            const struct seccomp_data data = {.arch = laz_arch_audit(arch), .nr = (int)nr};
            struct laz_bpf_trace trace;
            (void)laz_bpf_evaluate(filter->insns, filter->n, &data, &trace);
            steps += trace.steps;
            n++;
        }
    }
    return steps / n;
}

static void measure(const struct laz_policy *policy, enum laz_filter_variant variant, size_t rounds)
{
    static double compile[ROUNDS_MAX];
    static double prove[ROUNDS_MAX];
    static double load[ROUNDS_MAX];
    enum laz_arch arch = laz_arch_native();
    laz_cleanup_filter struct laz_filter filter = {0};
    struct laz_filter_proof proof = {0};
    struct laz_err err = {0};
    unsigned flags = variant == LAZ_FILTER_WITH_EVENTS ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    for (size_t i = 0; i < rounds; i++) {
        laz_filter_done(&filter);
        double start = now_us();
        if (laz_filter_compile(policy, arch, variant, &filter, &err) < 0) {
            fail(err.message);
        }
        double middle = now_us();
        if (laz_filter_prove(policy, arch, variant, &filter, &proof, &err) < 0) {
            fail(err.message);
        }
        prove[i] = now_us() - middle;
        compile[i] = middle - start;
        load[i] = load_us(&filter, flags);
    }
    (void)printf("{\"variant\": \"%s\", \"instructions\": %zu, \"longest_path\": %u, "
                 "\"mean_path\": %.1f, \"points\": %llu, \"compile_us\": %.1f, \"prove_us\": %.1f, "
                 "\"load_us\": %.1f}\n",
            variant == LAZ_FILTER_WITH_EVENTS ? "with-events" : "plain", filter.n,
            filter.longest_path, mean_path(&filter, arch), (unsigned long long)proof.n_checked,
            median(compile, rounds), median(prove, rounds), median(load, rounds));
}

int main(int argc, char **argv)
{
    uint64_t rounds = 101;
    if (argc < 2 || argc > 3 ||
            (argc == 3 && !laz_parse_u64(argv[2], strlen(argv[2]), ROUNDS_MAX, &rounds)) ||
            rounds == 0) {
        fail("usage: filter_bench POLICY [ROUNDS]");
    }
    static struct laz_diagnostics diagnostics;
    struct laz_policy *policy = NULL;
    struct laz_err err = {0};
    const struct laz_policy_source source = {.path = argv[1]};
    if (laz_policy_load(&source, &diagnostics, &policy, &err) < 0) {
        fail(err.message);
    }
    measure(policy, LAZ_FILTER_WITH_EVENTS, (size_t)rounds);
    measure(policy, LAZ_FILTER_PLAIN, (size_t)rounds);
    laz_policy_free(policy);
    return 0;
}
