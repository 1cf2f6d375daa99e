// What Postfix does not have: processes that hold many sessions, shared memory, the embedded store.
#include "runtime/settings/parameters.h"

namespace posthaste::parameters {

std::span<const ParameterRow> ours() {
    using enum ParameterKind;
    using enum Applies;
    static constexpr ParameterRow kRows[] = {
        {"worker_processes", integer, "0", 0, 64, restart,
         "Processes of a service whose master.cf line says \"-\" for maxproc; each holds thousands "
         "of sessions. "
         "0: one a processor."},
        {"process_scheduling", text, "normal", 0, 0, restart,
         "normal: as master was started; batch: on a busy processor a process that wakes up waits "
         "for "
         "the running one, and then does more at a time. For machines that do nothing else.",
         "normal|batch"},
        {"sandbox", text, "best", 0, 0, restart,
         "best: what the kernel refuses of a process's walls is logged; strict: it is fatal.",
         "best|strict"},
        {"network_user", text, "posthaste-net", 0, 0, restart,
         "User of the services that speak with the network."},
        {"queue_user", text, "posthaste-queue", 0, 0, restart,
         "User of cleanup, rewrite and qmgr."},
        {"store_user", text, "posthaste-store", 0, 0, restart,
         "User of the store; owns the queue's database."},
        {"log_user", text, "posthaste-log", 0, 0, restart, "User of postlogd."},
        {"start_time_limit", time, "120s", 1, kIntMax, live,
         "How long `posthaste start` waits for every service to be ready. One that is started "
         "again "
         "later and is not ready by then is killed."},
        {"stop_time_limit", time, "10s", 0, kIntMax, live,
         "How long `posthaste stop` lets services finish what they hold before they are killed."},
        {"smtpd_session_limit", integer, "4000", 1, 1 << 20, live,
         "Sessions of one smtpd process; a client beyond it is answered 421."},
        {"smtpd_arena_size", size, "256M", 1 << 20, int64_t{1} << 36, restart,
         "Memory of one smtpd process for messages being received and not yet on disk. Taken when "
         "first used."},
        {"cleanup_arena_size", size, "64M", 1 << 20, int64_t{1} << 36, restart,
         "Memory of one cleanup process for the header lines it writes. Taken when first used."},
        {"store_arena_size", size, "512M", 1 << 20, int64_t{1} << 36, restart,
         "Memory for the messages being delivered. Taken when first used. A message may take "
         "nearly "
         "a quarter of it."},
        {"destination_rollup", text, "none", 0, 0, live,
         "What is one destination: a domain (none), or all domains with the same set of MX hosts "
         "(mx), which then "
         "share their limits.",
         "none|mx"},
        {"lane_depth", integer, "2", 1, 2, restart,
         "Messages handed to a connection at most before the first of them is reported; 1: the "
         "next "
         "one comes only when the last one is done."},
        {"dns_servers", text, "", 0, 0, restart,
         "Name servers as address or address@port; empty: those of /etc/resolv.conf."},
        {"dns_trust_anchor_file", text, "/usr/share/dns/root.key", 0, 0, restart,
         "DNSKEY or DS records from which DNSSEC is validated; empty: it is not."},
        {"store_free_space_floor", size, "0", 0, kSizeMax, live,
         "Free bytes below which nothing is accepted, so that the queue can still be worked off; "
         "below 1 GiB more is wanted while what is left of half-empty files is being copied. "
         "0: 16 times store_write_buffer_size."},
        {"store_write_buffer_size", size, "64M", 1 << 20, int64_t{1} << 36, restart,
         "Memory for new entries before they are flushed; what is delivered before that never "
         "costs a second write."},
        {"store_blob_size_min", size, "16K", 0, kSizeMax, restart,
         "Messages from this size are kept beside the sorted tables and are not copied by "
         "compaction."},
        {"store_log_io", text, "uring", 0, 0, restart,
         "How the queue's log is written: over files zeroed beforehand, past the page cache, by "
         "io_uring; or the plain "
         "way of RocksDB (posix), which writes fewer bytes and waits longer.",
         "uring|posix"},
        {"store_batch_limit", integer, "512", 1, 65536, live,
         "Requests that share one synced write."},
    };
    return kRows;
}

}  // namespace posthaste::parameters
