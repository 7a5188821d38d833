/* SPDX-License-Identifier: Apache-2.0
 *
 * The technical safeguards of 45 CFR 164.312, one by one: which records speak for each, and what no
 * record can show. Never says that one is met: that is for whoever is responsible to say.
 */
#include "cli/report.h"

#define N(n) ((unsigned long long)(n))

static uint64_t sum(const struct laz_report *report, const char *const *events)
{
    uint64_t all = 0;
    for (; *events != NULL; events++) {
        all += laz_report_count(report, *events, NULL);
    }
    return all;
}

static void if_any(struct laz_buf *evidence, uint64_t n, const char *what)
{
    if (n > 0) {
        laz_buf_printf(evidence, "%s: %llu\n", what, N(n));
    }
}

/* The same of what somebody has to explain. */
static void explain(struct laz_buf *evidence, uint64_t n, const char *what)
{
    if (n > 0) {
        laz_buf_printf(evidence, "%c%s: %llu\n", LAZ_REPORT_EXPLAIN, what, N(n));
    }
}

static enum laz_control_verdict said(const struct laz_buf *evidence)
{
    enum laz_control_verdict verdict = LAZ_CONTROL_SILENT;
    for (const char *at = evidence->data; evidence->len > 0 && *at != '\0';) {
        if (*at == LAZ_REPORT_EXPLAIN) {
            return LAZ_CONTROL_FINDINGS;
        }
        verdict = LAZ_CONTROL_SHOWN;
        at += strcspn(at, "\n") + 1;
    }
    return verdict;
}

static enum laz_control_verdict access_control(
        const struct laz_report *report, struct laz_buf *evidence)
{
    const struct laz_report_starts *starts = &report->starts;
    static const char *const denied[] = {"seccomp.deny", "exec.budget", NULL};
    uint64_t observed = laz_report_count(report, "seccomp.deny", "observed") +
            laz_report_count(report, "exec.budget", "observed");
    uint64_t hidden = laz_report_count(report, "cred.change", "unreadable");
    if (starts->all > 0) {
        laz_buf_printf(evidence,
                "starts of a program that were read back from the kernel before it ran: %llu; in "
                "mode enforce: %llu; not as root: %llu; without any capability: %llu; with "
                "no_new_privs: %llu; behind a filter that refuses system calls: %llu; with rules "
                "for files (Landlock): %llu\n",
                N(starts->all), N(starts->enforced), N(starts->not_root),
                N(starts->without_capabilities), N(starts->no_new_privs), N(starts->filtered),
                N(starts->landlocked));
    }
    if_any(evidence, sum(report, denied) - observed,
            "refused system calls that the policy does not allow");
    if_any(evidence, starts->silent,
            "starts in which refused calls leave no record, so that there may have been any");
    if_any(evidence, laz_report_count(report, "init.stop", "refused"),
            "starts that were refused, with an error by name");
    if_any(evidence, report->watched[LAZ_WATCH_CREDENTIALS],
            "runs in which processes were compared with the policy while they ran");
    explain(evidence, starts->all - starts->enforced,
            "starts in a mode that only observes, and refuses nothing");
    explain(evidence, observed,
            "system calls that the policy does not allow, and that were let through, because its "
            "mode only observes");
    explain(evidence, starts->degraded,
            "starts with less than the policy prefers, as the list of runs says");
    explain(evidence, starts->relaxed,
            "starts under a policy with relaxations, as the list of runs says");
    explain(evidence, laz_report_count(report, "cred.change", NULL) - hidden,
            "processes that were found to be more than the policy says");
    explain(evidence, hidden, "processes that did not show what they are");
    return said(evidence);
}

static enum laz_control_verdict user_identification(
        const struct laz_report *report, struct laz_buf *evidence)
{
    uint64_t shared = 0;
    for (size_t i = 0; i < report->n_names; i++) {
        shared += laz_span_is(report->names[i].name, "\"shared-user\"") ? report->names[i].n : 0;
    }
    if_any(evidence, report->starts.not_root,
            "starts of a service under a user id other than root, which the list of runs names");
    if_any(evidence, report->starts.all - report->starts.not_root, "starts of a service as root");
    explain(evidence, shared, "starts in which the service shares its user id with its init");
    return said(evidence);
}

static enum laz_control_verdict emergency_access(
        const struct laz_report *report, struct laz_buf *evidence)
{
    uint64_t seen = laz_report_count(report, "exec.foreign", NULL);
    if_any(evidence, report->watched[LAZ_WATCH_FOREIGN],
            seen > 0 ? "runs in which it was watched who comes in from outside"
                     : "runs in which it was watched who comes in from outside, and nobody was "
                       "seen");
    if_any(evidence, seen,
            "processes that were put into a container from outside (docker exec, ECS Exec, health "
            "commands), and recorded");
    /* That somebody looked is no procedure. */
    return seen > 0 ? LAZ_CONTROL_SHOWN : LAZ_CONTROL_SILENT;
}

static enum laz_control_verdict logoff(const struct laz_report *report, struct laz_buf *evidence)
{
    (void)report;
    return said(evidence);
}

static enum laz_control_verdict encryption(
        const struct laz_report *report, struct laz_buf *evidence)
{
    static const char *const late[] = {"secret.stale", "secret.expired", NULL};
    if_any(evidence, laz_report_count(report, "secret.deliver", "delivered"),
            "places at which keys and secrets were handed to a service in memory, and not on a "
            "disk");
    if_any(evidence, laz_report_count(report, "secret.rotate", "rotated"),
            "keys and secrets that were changed");
    if_any(evidence, report->watched[LAZ_WATCH_VOLUMES],
            "runs in which volumes were compared with what the policy requires of them");
    explain(evidence, laz_report_count(report, "secret.rotate", "failed"),
            "keys and secrets that had changed, and could not be handed over");
    explain(evidence, laz_report_count(report, "secret.rollback", NULL),
            "keys and certificates that a service failed its checks with when they were new");
    explain(evidence, sum(report, late), "keys and secrets that were stale or expired");
    explain(evidence, laz_report_count(report, "volume.change", "violated"),
            "volumes that were not as the policy requires them");
    return said(evidence);
}

static enum laz_control_verdict audit_controls(
        const struct laz_report *report, struct laz_buf *evidence)
{
    size_t n = laz_verify_count(report->trails->verify);
    uint64_t closed = 0;
    uint64_t lost = 0;
    for (size_t i = 0; i < n; i++) {
        const struct laz_chain_verdict *verdict = laz_verify_at(report->trails->verify, i);
        closed += verdict->completeness == LAZ_COMPLETE_CLOSED;
        lost += verdict->lost + verdict->missing;
    }
    static const char *const held[] = {
            "sink.reject", "spool.corrupt", "spool.error", "spool.left", "events.gap", NULL};
    if (n > 0) {
        laz_buf_printf(evidence,
                "trails: %llu; records: %llu, and of these lines of the services: %llu; closed, "
                "from the first record to the signed last one: %llu\n",
                N(n), N(report->n_entries + report->logs), N(report->logs), N(closed));
    }
    if_any(evidence, laz_report_count(report, "sink.down", NULL),
            "times that a collector could not be had, and its records waited");
    if (!laz_trails_are_fine(report->trails)) {
        laz_buf_printf(
                evidence, "%cthe verdicts on the trails are not all good\n", LAZ_REPORT_EXPLAIN);
    }
    explain(evidence, lost, "records that are missing, or were lost and are named");
    explain(evidence, sum(report, held),
            "records of trouble with the trail itself, which the events name");
    return said(evidence);
}

static enum laz_control_verdict integrity(const struct laz_report *report, struct laz_buf *evidence)
{
    uint64_t hidden = laz_report_count(report, "exec.drift", "unreadable");
    if_any(evidence, report->watched[LAZ_WATCH_FILES],
            "runs in which files that the policy names were watched for changes");
    if_any(evidence, report->watched[LAZ_WATCH_PROGRAMS],
            "runs in which programs that ran were compared with the image");
    if (report->watched[LAZ_WATCH_FILES] > 0) {
        if_any(evidence, report->watched[LAZ_WATCH_FILES_PARTLY],
                "runs in which that was not possible for all of these files, or not for all that "
                "is in them");
    }
    explain(evidence, laz_report_count(report, "fim.change", NULL), "changes of watched files");
    explain(evidence, laz_report_count(report, "exec.drift", NULL) - hidden,
            "programs that ran and were not in the image");
    explain(evidence, hidden, "processes that hid which program they run");
    explain(evidence, laz_report_count(report, "exec.memfd", NULL),
            "programs that ran and were only in memory");
    return said(evidence);
}

static enum laz_control_verdict authenticate_ephi(
        const struct laz_report *report, struct laz_buf *evidence)
{
    size_t n = laz_verify_count(report->trails->verify);
    uint64_t whole = 0;
    for (size_t i = 0; i < n; i++) {
        const struct laz_chain_verdict *verdict = laz_verify_at(report->trails->verify, i);
        whole += verdict->integrity == LAZ_INTEGRITY_OK && verdict->uniqueness == LAZ_UNIQUE_SINGLE;
    }
    if (n > 0) {
        laz_buf_printf(evidence,
                "trails that are as they were written: %llu of %llu; each record's hash was "
                "computed anew for this report, and each signature (Ed25519) checked\n",
                N(whole), N(n));
    }
    explain(evidence, n - whole, "trails that are not as they were written, or are two stories");
    return said(evidence);
}

static enum laz_control_verdict authentication(
        const struct laz_report *report, struct laz_buf *evidence)
{
    uint64_t unverified = laz_report_count(report, "tunnel.refused", "unverified");
    if_any(evidence, report->tunnelled,
            "connections that went through TLS of Lazaret's own, at least; whether clients too "
            "had to show a certificate is in the policy");
    if_any(evidence, unverified,
            "connections that were refused, because the peer could not prove who it is");
    if_any(evidence, laz_report_count(report, "tunnel.identity", "renewed"),
            "certificates that were renewed");
    if_any(evidence, laz_report_count(report, "stop.request", "refused"),
            "requests to stop a service that were refused, because of who asked");
    explain(evidence, laz_report_count(report, "tunnel.identity", "kept"),
            "certificates that could not be renewed, so that the old ones stayed");
    return said(evidence);
}

static enum laz_control_verdict transmission(
        const struct laz_report *report, struct laz_buf *evidence)
{
    static const char *const plain[] = {"plain.connect", "plain.listen", NULL};
    if_any(evidence, report->starts.plain_enforced,
            "starts in which Landlock closed clear text's way to the ports that are for TLS alone, "
            "but for those of tls.plain.allow");
    if_any(evidence, report->watched[LAZ_WATCH_PLAIN],
            "runs in which connections in clear text were watched for");
    if_any(evidence, report->starts.fips, "starts with the FIPS provider on");
    if_any(evidence, report->tunnelled,
            "connections that went through TLS of Lazaret's own, at least");
    if_any(evidence, laz_report_count(report, "tunnel.refused", "no-tls"),
            "connections that were refused, because the other side had no TLS");
    explain(evidence, sum(report, plain), "times that clear text was seen where it must not be");
    return said(evidence);
}

static const struct laz_control controls[] = {
        {"164.312(a)(1)", "Access control",
                "It is the service's processes that are confined. Who of its users may see which "
                "record is decided in the application.",
                access_control, true, false},
        {"164.312(a)(2)(i)", "Unique user identification",
                "A user id names a service, and no person. Who of the staff did what is in the "
                "application's own log, which the trail carries if it is written to its output.",
                user_identification, false, false},
        {"164.312(a)(2)(ii)", "Emergency access procedure",
                "Lazaret has no such procedure. It records who comes in from outside, if that "
                "lives until the next look, and not why.",
                emergency_access, false, false},
        {"164.312(a)(2)(iii)", "Automatic logoff",
                "Sessions are the application's: no record can speak of them.", logoff, false,
                true},
        {"164.312(a)(2)(iv)", "Encryption and decryption",
                "What a provider encrypts below the container's kernel (EBS, a database) cannot be "
                "seen from inside, and what a service does with its keys is the service's.",
                encryption, false, true},
        {"164.312(b)", "Audit controls",
                "The trail is what Lazaret saw and what the service said. That it is whole says "
                "nothing about what nobody wrote down, and that somebody reads it is not in it.",
                audit_controls, true, false},
        {"164.312(c)(1)", "Integrity",
                "Watched are the files of a container. That records in a database are not altered "
                "or destroyed is the database's, and its backups'.",
                integrity, true, false},
        {"164.312(c)(2)", "Mechanism to authenticate electronic protected health information",
                "This is shown of the trail, and of health information only as far as it stands in "
                "it. Whoever held a container from its first moment can have written any trail: "
                "compare with what collectors have seen (--anchor).",
                authenticate_ephi, false, true},
        {"164.312(d)", "Person or entity authentication",
                "Services prove to each other who they are, by certificates. People are "
                "authenticated by the application.",
                authentication, true, false},
        {"164.312(e)(1)", "Transmission security",
                "Seen is what goes through Lazaret, and what the kernel shows of ports. TLS that "
                "the service speaks itself, and what a load balancer does, is not.",
                transmission, true, false},
        {"164.312(e)(2)(i)", "Integrity controls",
                "TLS protects what is under way; that both ends keep it as it came is theirs.",
                transmission, false, true},
        {"164.312(e)(2)(ii)", "Encryption",
                "The same: what does not pass Lazaret is not seen, but for ports that are for TLS "
                "alone.",
                transmission, false, true},
};

const struct laz_control *laz_control_at(size_t i)
{
    return i < sizeof(controls) / sizeof(controls[0]) ? &controls[i] : NULL;
}

const char *laz_control_verdict_name(enum laz_control_verdict verdict)
{
    switch (verdict) {
    case LAZ_CONTROL_SHOWN:
        return "shown";
    case LAZ_CONTROL_FINDINGS:
        return "findings";
    case LAZ_CONTROL_SILENT:
        return "silent";
    }
    return "";
}
