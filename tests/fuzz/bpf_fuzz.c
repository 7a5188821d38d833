/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as a program and its input. A program that is taken ends within its own length, answers
 * with one of its returns, and depends on nothing but the words that it read.
 */
#include "core/bpf.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static bool returns(const struct sock_filter *insns, size_t n, uint32_t answer)
{
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        found = found || (insns[i].code == (BPF_RET | BPF_K) && insns[i].k == answer);
    }
    return found;
}

static void check(const struct sock_filter *insns, size_t n, struct seccomp_data *input)
{
    struct laz_bpf_trace trace;
    uint32_t answer = laz_bpf_evaluate(insns, n, input, &trace);
    require(trace.steps >= 1 && trace.steps <= n && returns(insns, n, answer));
    uint32_t words[sizeof(*input) / sizeof(uint32_t)];
    (void)memcpy(words, input, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        words[i] = (trace.words >> i & 1) != 0 ? words[i] : ~words[i];
    }
    (void)memcpy(input, words, sizeof(words));
    struct laz_bpf_trace again;
    require(laz_bpf_evaluate(insns, n, input, &again) == answer);
    require(again.steps == trace.steps && again.words == trace.words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seccomp_data input;
    if (size < sizeof(input)) {
        return 0;
    }
    (void)memcpy(&input, data, sizeof(input));
    size_t n = (size - sizeof(input)) / sizeof(struct sock_filter);
    struct sock_filter *insns =
            malloc(n * sizeof(*insns) + 1); /* exactly: ASan sees what lies behind */
    require(insns != NULL);
    (void)memcpy(insns, data + sizeof(input), n * sizeof(*insns));
    if (laz_bpf_is_valid(insns, n)) {
        check(insns, n, &input);
    }
    free(insns);
    return 0;
}
