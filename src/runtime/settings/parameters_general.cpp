// Names, addresses and places: what every process may ask for.
#include "runtime/settings/parameters.h"

namespace posthaste::parameters {

std::span<const ParameterRow> general() {
    using enum ParameterKind;
    using enum Applies;
    static constexpr ParameterRow kRows[] = {
        {"myhostname", text, "localhost.localdomain", 0, 0, live,
         "This system's name in greetings and Received: lines. Not set: the kernel's host name, "
         "made fully qualified "
         "with $mydomain."},
        {"mydomain", text, "localdomain", 0, 0, live,
         "The domain of this system. Not set: $myhostname without its first label."},
        {"myorigin", text, "$myhostname", 0, 0, live,
         "The domain that a bare local part is completed with."},
        {"mydestination", text, "$myhostname, localhost.$mydomain, localhost", 0, 0, live,
         "Domains whose mail ends on this machine (address class local)."},
        {"mynetworks", text, "127.0.0.0/8 [::1]/128", 0, 0, live,
         "Clients that may relay. Not set: what mynetworks_style finds."},
        {"mynetworks_style", text, "host", 0, 0, live,
         "What mynetworks is when it is not set: this machine's own addresses (host), the networks "
         "of its interfaces "
         "(subnet), or the historic class of those (class).",
         "host|subnet|class"},
        {"inet_interfaces", text, "all", 0, 0, restart,
         "Where services of type inet without a host listen: all, loopback-only, or a list of "
         "addresses."},
        {"inet_protocols", text, "all", 0, 0, restart,
         "Address families in use, for listening and for sending.",
         "all|ipv4|ipv6|ipv4, ipv6|ipv6, ipv4"},
        {"proxy_interfaces", text, "", 0, 0, live,
         "Addresses at which a proxy or address translator receives for us: mail to them loops "
         "back to us."},
        {"parent_domain_matches_subdomains", text,
         "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_"
         "clients,"
         "relay_domains,smtpd_access_maps",
         0, 0, live, "The lists in which example.com also means its subdomains."},
        {"compatibility_level", text, "3.9", 0, 0, live,
         "Read so that a Postfix main.cf loads and may ask for it. Defaults are always those of "
         "the newest level."},
        {"multi_instance_name", text, "", 0, 0, live,
         "The instance's name; syslog_name follows it."},
        {"mail_name", text, "Posthaste", 0, 0, live,
         "The product's name in the greeting and in Received: lines."},
        {"mail_version", text, "0.1.0", 0, 0, live, "The release, for use in other settings."},
        {"config_directory", text, "/etc/posthaste", 0, 0, restart,
         "Where main.cf was found; set by the -c option, not in main.cf."},
        {"queue_directory", text, "/var/spool/posthaste", 0, 0, restart,
         "The queue's database, the sockets and the pid file."},
        {"daemon_directory", text, "", 0, 0, restart,
         "The services' programs. Not set: libexec/posthaste beside the directory of the command "
         "that starts them."},
        {"command_directory", text, "", 0, 0, restart,
         "The commands. Not set: the directory of the command that runs."},
        {"maillog_file", text, "", 0, 0, live,
         "The log file. Empty: the system's log socket, or a file in queue_directory when there is "
         "none."},
        {"maillog_file_rotate_suffix", text, "%Y%m%d-%H%M%S", 0, 0, live,
         "What `posthaste logrotate` puts behind the name of a log that is full, as date(1) reads "
         "it."},
        {"maillog_file_compressor", text, "gzip", 0, 0, live,
         "The program that `posthaste logrotate` gives such a log to; empty: it stays as it is."},
        {"syslog_name", text, "${multi_instance_name?{$multi_instance_name}:{postfix}}", 0, 0, live,
         "First part of a log line's tag: $syslog_name/smtpd. Postfix's name, so that tools that "
         "read its log read "
         "ours."},
        {"service_throttle_time", time, "60s", 1, kIntMax, live,
         "The longest pause before a service that keeps dying at start is started again; the first "
         "is a second."},
        {"daemon_timeout", time, "30s", 1, kIntMax, live,
         "How long a service's event loop may take for one turn, or stand stopped, before master "
         "kills it and starts it anew. Idle is not hung. A debugger's work wants more."},
        {"stress", text, "", 0, 0, live,
         "Set to yes under overload by -o, for use as ${stress?{10}:{300}}."},
        {"service_name", text, "", 0, 0, live, "master.cf's first column; set by master."},
        {"process_name", text, "", 0, 0, live, "The program's name; set by master."},
        {"delivery_services", text, "smtp relay", 0, 0, live,
         "The transports that master.cf has; set by master. Mail for another one waits."},
    };
    return kRows;
}

}  // namespace posthaste::parameters
