/* SPDX-License-Identifier: Apache-2.0
 *
 * By the descriptor of its file the shim is the same one again, wherever it lies.
 */
#include "shim/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "core/rooted.h"
#include "shim/prepared.h"

#define NUMBER_SIZE 24
#define OWN_WORDS   5 /* of lazaret-prepare, before the caller's */

static bool take_number(const char *text, uint64_t max, uint64_t *ret)
{
    return laz_parse_u64(text, strlen(text), max, ret);
}

void laz_ask_init(int argc, char **argv, struct laz_ask *ret)
{
    uint64_t round = 0;
    *ret = (struct laz_ask){.argc = argc, .argv = argv};
    if (argc > 1 && strncmp(argv[1], LAZ_ASK_WORD, strlen(LAZ_ASK_WORD)) == 0 &&
            take_number(argv[1] + strlen(LAZ_ASK_WORD), LAZ_ASK_ROUNDS_MAX, &round)) {
        argv[1] = argv[0];
        *ret = (struct laz_ask){.argc = argc - 1, .argv = argv + 1, .round = (unsigned)round};
    }
}

/* The words, with the caller's behind them; NULL: no memory. */
static char **join(char *const *words, size_t n, const struct laz_ask *ask, int from)
{
    char **argv = calloc(n + (size_t)ask->argc + 1, sizeof(*argv));
    if (argv != NULL) {
        (void)memcpy(argv, words, n * sizeof(*argv));
    }
    for (int i = from; argv != NULL && i < ask->argc; i++) {
        argv[n++] = ask->argv[i];
    }
    return argv;
}

int laz_ask(const struct laz_ask *ask, const char *name, struct laz_err *err)
{
    char descriptor[NUMBER_SIZE];
    char round[NUMBER_SIZE];
    struct laz_err why = {0};
    laz_cleanup_fd int program = -1;
    if (ask->round == LAZ_ASK_ROUNDS_MAX) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0,
                LAZ_PREPARED_FOLDER "/%.100s is never what the files say: they change all the "
                                    "time, or lazaret-prepare is of another version",
                name);
    }
    if (laz_rooted_open(LAZ_PREPARED_PROGRAM, &program, &why) < 0) {
        return laz_err_set(err, why.kind == LAZ_E_HOST_ABSENT ? LAZ_E_PROGRAM : why.kind,
                why.sys_errno, "%s", why.message);
    }
    laz_cleanup_fd int own = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (own < 0 || fcntl(own, F_SETFD, 0) < 0) { /* it stays open in the other program */
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "/proc/self/exe: %s", strerror(errno));
    }
    (void)laz_format(descriptor, sizeof(descriptor), "%d", own);
    (void)laz_format(round, sizeof(round), "%u", ask->round + 1);
    char *const words[OWN_WORDS] = {laz_unconst("lazaret-prepare"), descriptor, round,
            laz_unconst(name), laz_unconst(ask->context == NULL ? "" : ask->context)};
    char **argv = join(words, OWN_WORDS, ask, 0);
    if (argv != NULL) {
        (void)execve(LAZ_PREPARED_PROGRAM, argv, environ);
    }
    int number = errno;
    free(argv);
    return laz_err_set(err, LAZ_E_SYSTEM, number, LAZ_PREPARED_PROGRAM ": %s", strerror(number));
}

int laz_ask_take(int argc, char **argv, int *ret_shim, const char **ret_name, struct laz_ask *ret,
        struct laz_err *err)
{
    uint64_t descriptor = 0;
    uint64_t round = 0;
    if (argc <= OWN_WORDS || !take_number(argv[1], INT32_MAX, &descriptor) ||
            !take_number(argv[2], LAZ_ASK_ROUNDS_MAX, &round) ||
            fcntl((int)descriptor, F_SETFD, FD_CLOEXEC) < 0) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "lazaret-prepare is started by lazaret-shim alone");
    }
    *ret_shim = (int)descriptor;
    *ret_name = argv[3];
    *ret = (struct laz_ask){.context = argv[4][0] == '\0' ? NULL : argv[4],
            .argc = argc - OWN_WORDS,
            .argv = argv + OWN_WORDS,
            .round = (unsigned)round};
    return 0;
}

int laz_ask_answer(const struct laz_ask *ask, int shim, struct laz_err *err)
{
    char word[sizeof(LAZ_ASK_WORD) + NUMBER_SIZE];
    (void)laz_format(word, sizeof(word), LAZ_ASK_WORD "%u", ask->round);
    char *const words[] = {ask->argv[0], word};
    char **argv = join(words, 2, ask, 1);
    if (argv != NULL) {
        (void)syscall(SYS_execveat, shim, "", argv, environ, AT_EMPTY_PATH);
    }
    int why = errno;
    free(argv);
    return laz_err_set(err, LAZ_E_SYSTEM, why, "lazaret-shim: execveat: %s", strerror(why));
}
