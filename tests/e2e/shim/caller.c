/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes the named system calls with arguments that no kernel takes, and prints what each answered:
 * NAME=ERRNO. Then how many filters are on. Who is refused by a filter gets the filter's errno.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    long number;
} calls[] = {{"bpf", SYS_bpf}, {"getpid", SYS_getpid}, {"keyctl", SYS_keyctl}, {"mount", SYS_mount},
        {"ptrace", SYS_ptrace}, {"unshare", SYS_unshare}, {"userfaultfd", SYS_userfaultfd}};

/* By another ABI of the processor: getpid of i386. */
static long call_foreign(void)
{
#ifdef __x86_64__
    long result = 20;
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result;
#else
    return 0;
#endif
}

static void print_filters(void)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "Seccomp_filters:", 16) == 0) {
            (void)printf("filters=%d\n", line[17] - '0');
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        long result = strcmp(argv[i], "foreign") == 0 ? call_foreign() : 0;
        int error = result < 0 ? (int)-result : 0;
        for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++) {
            if (strcmp(calls[k].name, argv[i]) == 0) {
                error = syscall(calls[k].number, -1L, -1L, -1L, -1L, -1L, -1L) < 0 ? errno : 0;
            }
        }
        (void)printf("%s=%d\n", argv[i], error);
    }
    print_filters();
    return 0;
}
