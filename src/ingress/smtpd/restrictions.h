// ingress/smtpd/restrictions.h: who may send what to whom. The lists smtpd_*_restrictions of
// main.cf, read once into steps, and asked at RCPT (client, helo, sender, relay, recipient:
// Postfix's smtpd_delay_reject = yes), at DATA or the first BDAT (data) and at the end of the
// message (end_of_data).
//
// Each list is read from left to right. The first step that permits ends its list, the first that
// refuses ends all; a list that comes to its end permits. Refusals read as Postfix's: "554 5.7.1
// <a@b>: Relay access denied".
//
// Never an open relay: parse() fails unless the relay or the recipient list holds, where it can be
// reached, a step that refuses what is neither from nor for us. An unknown step is a fault too:
// skipping it could open a door that it was to close.
//
// No socket, no clock, no look-up that waits.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"

#include "runtime/settings/settings.h"

#include "lookup/match_list.h"
#include "lookup/network_match_list.h"

#include "ingress/smtpd/refusing_transports.h"

namespace posthaste::smtpd {

// What the steps ask about. Views: valid during the call.
struct RestrictionSubject {
    IpAddress client;
    IpAddress local;                       // the address the client connected to
    std::string_view client_name_address;  // "name[ip]"
    std::string_view helo;                 // empty before HELO
    std::string_view sender;               // empty for <>
    std::string_view recipient;
};

class Restrictions {
 public:
    // Nothing when a list or a table of domains or networks is wrong; `fault` is the line for the
    // log. Opens what files the lists name: for the prepare stage.
    static std::optional<Restrictions> parse(const Settings& settings, std::string& fault);

    // Each answers with the whole reply without line end, or with nothing: permitted.
    std::string at_recipient(const RestrictionSubject& subject) const;
    std::string at_data(const RestrictionSubject& subject) const;
    std::string at_end_of_data(const RestrictionSubject& subject) const;

    bool is_my_network(const IpAddress& client) const noexcept {
        return my_networks_.contains(client);
    }

    // The recipient's domain is ours or one we relay for, and its local part names no further hop.
    // An Error when a table cannot say now.
    Result<bool> is_authorized_destination(std::string_view recipient,
                                           const IpAddress& local) const;

 private:
    enum class List : uint8_t { client, helo, sender, relay, recipient, data, end_of_data };
    static constexpr size_t kLists = 7;
    enum class Step : uint8_t {
        permit,
        reject,
        defer,
        permit_mynetworks,
        permit_sasl_authenticated,
        permit_auth_destination,
        reject_unauth_destination,
        defer_unauth_destination,
        reject_non_fqdn_sender,
        reject_non_fqdn_recipient,
        reject_non_fqdn_helo_hostname,
        reject_invalid_helo_hostname,
    };

    struct StepName {
        std::string_view name;
        Step step;
    };

    static const StepName kStepNames[];

    Restrictions() = default;
    bool parse_list(const Settings& settings, List list, std::string_view parameter,
                    std::string& fault);
    bool refuses_strangers(List list) const noexcept;
    std::string ask(List list, const RestrictionSubject& subject) const;
    RecipientClass class_of(std::string_view recipient, const IpAddress& local) const;

    std::array<std::vector<Step>, kLists> lists_;
    bool relay_first_ = true;
    NetworkMatchList my_networks_;
    MatchList my_destination_;
    MatchList relay_domains_;
    RefusingTransports refusing_transports_;
    std::string my_origin_;
    int64_t relay_code_ = 554;
    int64_t reject_code_ = 554;
    int64_t defer_code_ = 450;
    int64_t non_fqdn_code_ = 504;
    int64_t invalid_hostname_code_ = 501;
};

}  // namespace posthaste::smtpd
