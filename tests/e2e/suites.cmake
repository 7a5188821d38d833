# SPDX-License-Identifier: Apache-2.0
#
# The suites of tests/e2e, for laz_e2e of the file above.

# What an instrumented build cannot show of a suite that it runs, by the words of BUT; all the rest it has to:
# - "an empty root", "an empty image", "what the index tells", of shim_confine and shim_exec what has an engine: it is dynamic, and such images have nothing that it could load.
# - "fewer than 16 descriptors": the loader and the runtime need some before we come to count them.
# - "is nowhere in init", "neither the recovery key", "that has signed is nowhere", "while it waits", "and nobody else", "are in no core of ship", "memory of", "no credential
#   in what", and of certificates all three: AddressSanitizer's shadow is terabytes to search, and its runtime keeps what was freed, a copy of the environment, and its own options.
# - "memory does not grow": resident memory, which the shadow makes grow.
# - "written, flushed, renamed": under a tracer the leak check of the `lazaret` command fails. doctor runs inside
#   filters that refuse what the check does, and without /proc, which the runtime complains about.
# - "round and round": the words are musl's.
# - hook, hook_hostile: the hook is not dumpable, which the leak check cannot do without; it is dynamic, so that the image whose
#   variables load its own code is left out by the suite itself.
# - inject: the calls of the loader and of the runtime are left out by the suite itself.
laz_e2e(attack ALONE TIMEOUT 900 INSTRUMENTED sample)
laz_e2e(auditor INSTRUMENTED sample)
laz_e2e(cli INSTRUMENTED sample BUT "written, flushed, renamed" "every option of")
laz_e2e(cli_doctor INSTRUMENTED sample NO_LEAK_CHECK BUT "no /proc or too few descriptors")
laz_e2e(cli_health INSTRUMENTED sample)
laz_e2e(cli_oci INSTRUMENTED sample)
laz_e2e(cli_policy INSTRUMENTED sample)
laz_e2e(cli_secrets INSTRUMENTED sample)
laz_e2e(cloudwatch INSTRUMENTED sample)
laz_e2e(digest INSTRUMENTED sample)
laz_e2e(compose ALONE NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(docker ALONE TIMEOUT 900 NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(docs ALONE TIMEOUT 900 NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(ecs INSTRUMENTED sample)
laz_e2e(events INSTRUMENTED sample)
laz_e2e(examples INSTRUMENTED sample)
laz_e2e(fips INSTRUMENTED sample)
laz_e2e(fetch INSTRUMENTED sample)
laz_e2e(fetch_process INSTRUMENTED sample BUT "while it waits" "cannot be had, or not be kept to")
laz_e2e(
  inject TIMEOUT 600 INSTRUMENTED sample
  ONLY "or refused by name [PID 1]" "or refused by name [PID 1, from YAML]"
       "the code stays right [PID 1, the workload works and is stopped]")
laz_e2e(health ALONE INSTRUMENTED sample)
laz_e2e(health_drain INSTRUMENTED sample)
laz_e2e(health_role INSTRUMENTED sample)
laz_e2e(health_lies INSTRUMENTED sample)
laz_e2e(hostile_tls INSTRUMENTED long)
laz_e2e(inject_secrets NATIVE "a runtime that is refused a mapping ends in a way of its own")
laz_e2e(inject_sinks INSTRUMENTED sample)
laz_e2e(gate INSTRUMENTED sample)
laz_e2e(gate_live INSTRUMENTED sample)
laz_e2e(guest_suites TIMEOUT 900 NATIVE "guests have nothing but static programs")
laz_e2e(hook INSTRUMENTED sample NO_LEAK_CHECK)
laz_e2e(hook_faults NATIVE "which calls fail is of the static program")
laz_e2e(hook_hostile TIMEOUT 600 INSTRUMENTED sample NO_LEAK_CHECK)
laz_e2e(host_file INSTRUMENTED sample)
laz_e2e(host_ledger NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(howtos INSTRUMENTED sample)
laz_e2e(kernels TIMEOUT 900 NATIVE "guests have nothing but static programs")
if(TEST e2e_kernels)
  set_tests_properties(e2e_guest_suites e2e_kernels PROPERTIES PROCESSORS 2) # two guests at a time
endif()
laz_e2e(howto_hosts ALONE TIMEOUT 600 NATIVE "what is shipped is static")
laz_e2e(package ALONE TIMEOUT 600 NATIVE "what is shipped is static")
laz_e2e(peers ALONE NATIVE "it measures time")
laz_e2e(ocsf INSTRUMENTED sample)
laz_e2e(never ALONE NATIVE "the shadow is terabytes to search")
laz_e2e(ossec INSTRUMENTED sample)
laz_e2e(pid1_inherited INSTRUMENTED sample BUT "fewer than 16 descriptors" "in an empty root file system")
laz_e2e(pid1_loss ALONE NATIVE "the loader and the runtime take the time that it is about")
laz_e2e(pid1_nested INSTRUMENTED sample)
laz_e2e(pid1_outside INSTRUMENTED long)
laz_e2e(pid1_races INSTRUMENTED long)
laz_e2e(pid1_secrecy INSTRUMENTED sample BUT "is nowhere in init")
laz_e2e(pid1_signals INSTRUMENTED sample)
laz_e2e(pid1_soak NATIVE "resident memory, which the shadow makes grow")
laz_e2e(pid1_status INSTRUMENTED sample)
laz_e2e(pid1_strays INSTRUMENTED sample)
laz_e2e(pid1_terminal INSTRUMENTED sample)
laz_e2e(install INSTRUMENTED sample NO_LEAK_CHECK)
laz_e2e(install_divert INSTRUMENTED sample NO_LEAK_CHECK)
laz_e2e(install_engines ALONE TIMEOUT 600 NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(json INSTRUMENTED sample)
laz_e2e(plain INSTRUMENTED sample)
laz_e2e(probe_table ALONE NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(protect INSTRUMENTED sample)
laz_e2e(policy_file INSTRUMENTED sample BUT "round and round")
laz_e2e(
  shim_confine ALONE TIMEOUT 600 INSTRUMENTED sample ONLY "the rewrite" "a bundle that runtimes" "a config.json that is absent" "an exec's file"
  BUT "docker" "host.exec" "the host's records" "secrets of the host" "copies of" "what a policy" "host.privileged" "no policy" "update is" "killed at" "a second container" "LAZARET_EVENTS")
laz_e2e(shim_audit INSTRUMENTED sample)
laz_e2e(shim_back INSTRUMENTED sample BUT "docker:")
laz_e2e(shim_copied ALONE TIMEOUT 600 NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(shim_engines ALONE TIMEOUT 600 NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(shim_exec ALONE TIMEOUT 600 INSTRUMENTED sample BUT "the groups of" "podman" "a container with sinks" "an exec has the workload's" "HEALTHCHECK" "ECS Exec by" "docker exec -u 0")
laz_e2e(shim_hostile TIMEOUT 600 NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(shim_faults NATIVE "which calls fail is of the static programs")
laz_e2e(shim_hostile_exec INSTRUMENTED sample)
laz_e2e(shim_images ALONE TIMEOUT 600 NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(shim_matrix ALONE TIMEOUT 600 NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(shim_prepared INSTRUMENTED sample)
laz_e2e(shim_races TIMEOUT 600 INSTRUMENTED sample BUT "killed at")
laz_e2e(shim_seccomp ALONE TIMEOUT 600 NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(shim_select INSTRUMENTED sample)
laz_e2e(shim_sweep INSTRUMENTED sample)
laz_e2e(shim_users ALONE TIMEOUT 600 NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(shim INSTRUMENTED sample BUT "what an image or a bundle" "the program is small")
laz_e2e(secrets INSTRUMENTED sample BUT "is nowhere in init")
laz_e2e(certificates INSTRUMENTED sample BUT "while a CA signs" "a workload gets the files" "a key that a container makes")
laz_e2e(certificate_forms INSTRUMENTED sample)
laz_e2e(secrets_aws INSTRUMENTED sample BUT "and nobody else")
laz_e2e(secrets_ecs INSTRUMENTED sample)
laz_e2e(rollback INSTRUMENTED sample)
laz_e2e(secrets_rotate INSTRUMENTED sample)
laz_e2e(secrets_rate INSTRUMENTED sample)
laz_e2e(secret_errors INSTRUMENTED sample)
laz_e2e(secret_never INSTRUMENTED sample BUT "memory of")
laz_e2e(secret_readers INSTRUMENTED sample)
laz_e2e(secrets_forms INSTRUMENTED sample)
laz_e2e(secrets_parameters INSTRUMENTED sample)
laz_e2e(secrets_vault INSTRUMENTED sample BUT "nowhere in its reach" "leaves its environment")
laz_e2e(secrets_start INSTRUMENTED sample BUT "nobody holds a value" "no memory of ours")
laz_e2e(report INSTRUMENTED sample BUT "in a real browser")
laz_e2e(rollout ALONE NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(runbook INSTRUMENTED sample BUT "what the index tells")
laz_e2e(runtimes ALONE INSTRUMENTED long)
laz_e2e(sense INSTRUMENTED sample)
laz_e2e(sense_engines ALONE NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(sense_processes INSTRUMENTED sample)
laz_e2e(ship INSTRUMENTED sample)
laz_e2e(ship_cloudwatch INSTRUMENTED sample BUT "no credential in what")
laz_e2e(ship_disks INSTRUMENTED long)
laz_e2e(ship_flood ALONE NATIVE "it measures rates")
laz_e2e(ship_forgery INSTRUMENTED sample)
laz_e2e(ship_helpers INSTRUMENTED long)
laz_e2e(sense_init INSTRUMENTED sample)
laz_e2e(ship_images ALONE NATIVE "an image of its own, without the libraries of a dynamic program")
laz_e2e(ship_kills INSTRUMENTED long)
laz_e2e(ship_masks INSTRUMENTED sample BUT "are in no core of ship")
laz_e2e(ship_metrics INSTRUMENTED sample)
laz_e2e(ship_peers INSTRUMENTED long)
laz_e2e(ship_secrecy INSTRUMENTED sample BUT "neither the recovery key" "that has signed is nowhere")
laz_e2e(ship_start INSTRUMENTED sample)
laz_e2e(ship_words INSTRUMENTED sample)
laz_e2e(sinks INSTRUMENTED sample BUT "in an empty image")
laz_e2e(sinks_local INSTRUMENTED sample)
laz_e2e(sinks_syslog INSTRUMENTED sample)
laz_e2e(spool INSTRUMENTED sample)
laz_e2e(volumes INSTRUMENTED sample)
laz_e2e(syslog_ng INSTRUMENTED sample)
laz_e2e(task_definition INSTRUMENTED sample)
laz_e2e(top INSTRUMENTED sample)
laz_e2e(trail INSTRUMENTED sample)
laz_e2e(trail_command INSTRUMENTED sample)
laz_e2e(tunnel INSTRUMENTED sample BUT "memory does not grow")
laz_e2e(tunnel_crowd INSTRUMENTED sample)
laz_e2e(tunnel_reload INSTRUMENTED sample BUT "in locked pages" "puts another file" "cannot be had, or not be kept to")
laz_e2e(sanitizers INSTRUMENTED sample)

# Where no earlier run has told how long each takes, the longest still come first: nothing short waits for them at the
# end.
set(LAZ_LONGEST
    unit_init
    e2e_inject
    e2e_kernels
    e2e_ship_kills
    e2e_cloudwatch
    e2e_ship_peers
    e2e_sense
    e2e_ossec
    e2e_fetch
    e2e_pid1_terminal
    e2e_sinks
    e2e_secrets_rotate
    e2e_ship
    e2e_ship_helpers
    e2e_hostile_tls
    e2e_ship_disks
    e2e_pid1_races)
set(cost 100)
foreach(name IN LISTS LAZ_LONGEST)
  if(TEST ${name})
    set_tests_properties(${name} PROPERTIES COST ${cost})
  endif()
  math(EXPR cost "${cost} - 1")
endforeach()
