#include "ingress/smtpd/restrictions.h"

#include "base/strings.h"

#include "mail/address.h"
#include "runtime/settings/near_name.h"

namespace posthaste::smtpd {
namespace {

std::string refusal(int64_t code, std::string_view dsn, std::string_view about,
                    std::string_view why) {
    std::string text = std::to_string(code);
    text.append(" ").append(dsn).append(" <").append(about).append(">: ").append(why);
    return text;
}

// A 5xx code that configuration turned into a 4xx takes its enhanced code along.
std::string with_class(int64_t code, std::string_view dsn) {
    std::string text(dsn);
    if (code >= 400 && code < 500) text[0] = '4';
    return text;
}

std::string_view without_final_dot(std::string_view host) noexcept {
    return host.substr(0, host.size() - (host.ends_with('.') ? 1 : 0));
}

bool is_fully_qualified(std::string_view host) noexcept {
    host = without_final_dot(host);
    return host.find('.') != std::string_view::npos && is_valid_hostname(host);
}

bool is_fully_qualified_address(std::string_view address) noexcept {
    const std::string_view domain = domain_of(address);
    return is_address_literal(domain) || is_fully_qualified(domain);
}

// "[192.0.2.1]" or "[IPv6:2001:db8::1]".
std::optional<IpAddress> address_in_literal(std::string_view domain) noexcept {
    if (!is_address_literal(domain)) return std::nullopt;
    domain = domain.substr(1, domain.size() - 2);
    if (starts_with_ignoring_case(domain, "IPv6:")) domain.remove_prefix(5);
    return IpAddress::parse(domain);
}

}  // namespace

const Restrictions::StepName Restrictions::kStepNames[] = {
    {"permit", Step::permit},
    {"reject", Step::reject},
    {"defer", Step::defer},
    {"permit_mynetworks", Step::permit_mynetworks},
    {"permit_sasl_authenticated", Step::permit_sasl_authenticated},
    {"permit_auth_destination", Step::permit_auth_destination},
    {"reject_unauth_destination", Step::reject_unauth_destination},
    {"defer_unauth_destination", Step::defer_unauth_destination},
    {"reject_non_fqdn_sender", Step::reject_non_fqdn_sender},
    {"reject_non_fqdn_recipient", Step::reject_non_fqdn_recipient},
    {"reject_non_fqdn_helo_hostname", Step::reject_non_fqdn_helo_hostname},
    {"reject_non_fqdn_hostname", Step::reject_non_fqdn_helo_hostname},
    {"reject_invalid_helo_hostname", Step::reject_invalid_helo_hostname},
    {"reject_invalid_hostname", Step::reject_invalid_helo_hostname},
};

std::optional<Restrictions> Restrictions::parse(const Settings& settings, std::string& fault) {
    Restrictions made;
    OpenReport report;
    const bool relay_parents = parent_matches_subdomains(
        settings.text("parent_domain_matches_subdomains"), "relay_domains");
    const char* parameter = nullptr;
    if (!made.my_networks_.open(settings.text("mynetworks"), report)) {
        parameter = "mynetworks";
    } else if (!made.my_destination_.open(settings.text("mydestination"), false, report)) {
        parameter = "mydestination";
    } else if (!made.relay_domains_.open(settings.text("relay_domains"), relay_parents, report)) {
        parameter = "relay_domains";
    } else if (!made.refusing_transports_.open(settings, report)) {
        parameter = "transport_maps";
    }
    if (parameter != nullptr) {
        fault = std::string(parameter) + ": " + report.error;
        return std::nullopt;
    }

    made.my_origin_ = settings.text("myorigin");
    made.relay_first_ = settings.boolean("smtpd_relay_before_recipient_restrictions");
    made.relay_code_ = settings.integer("relay_domains_reject_code");
    made.reject_code_ = settings.integer("reject_code");
    made.defer_code_ = settings.integer("defer_code");
    made.non_fqdn_code_ = settings.integer("non_fqdn_reject_code");
    made.invalid_hostname_code_ = settings.integer("invalid_hostname_reject_code");

    if (!made.parse_list(settings, List::client, "smtpd_client_restrictions", fault) ||
        !made.parse_list(settings, List::helo, "smtpd_helo_restrictions", fault) ||
        !made.parse_list(settings, List::sender, "smtpd_sender_restrictions", fault) ||
        !made.parse_list(settings, List::relay, "smtpd_relay_restrictions", fault) ||
        !made.parse_list(settings, List::recipient, "smtpd_recipient_restrictions", fault) ||
        !made.parse_list(settings, List::data, "smtpd_data_restrictions", fault) ||
        !made.parse_list(settings, List::end_of_data, "smtpd_end_of_data_restrictions", fault)) {
        return std::nullopt;
    }
    if (!made.refuses_strangers(List::relay) && !made.refuses_strangers(List::recipient)) {
        fault =
            "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at "
            "least one working "
            "instance of: reject_unauth_destination, defer_unauth_destination, reject, defer";
        return std::nullopt;
    }
    return made;
}

bool Restrictions::parse_list(const Settings& settings, List list, std::string_view parameter,
                              std::string& fault) {
    for (const std::string& word : settings.list(parameter)) {
        const StepName* found = nullptr;
        for (const StepName& known : kStepNames) {
            if (equals_ignoring_case(known.name, word)) found = &known;
        }
        if (found == nullptr) {
            fault = std::string(parameter) + ": unknown restriction: \"" + word + "\"";
            std::vector<std::string_view> names;
            for (const StepName& known : kStepNames) names.push_back(known.name);
            const auto near = nearest_name(word, names);
            fault += near.empty() ? "; nobody would ask it: remove it, if you can do without"
                                  : "; did you mean " + std::string(near) + "?";
            return false;
        }
        lists_[static_cast<size_t>(list)].push_back(found->step);
    }
    return true;
}

bool Restrictions::refuses_strangers(List list) const noexcept {
    for (const Step step : lists_[static_cast<size_t>(list)]) {
        switch (step) {
            case Step::reject:
            case Step::defer:
            case Step::reject_unauth_destination:
            case Step::defer_unauth_destination:
                return true;
            case Step::permit:
                return false;  // nothing behind it is ever reached
            default:
                break;
        }
    }
    return false;
}

Result<bool> Restrictions::is_authorized_destination(std::string_view recipient,
                                                     const IpAddress& local) const {
    std::string_view domain = domain_of(recipient);
    // user%elsewhere@ours, elsewhere!user@ours, "user@elsewhere"@ours: the system behind us might
    // follow the route.
    if (local_part_of(recipient).find_first_of("@%!") != std::string_view::npos) return false;
    if (domain.empty()) domain = my_origin_;
    if (const auto literal = address_in_literal(domain))
        return literal->unmapped() == local.unmapped();
    ASSIGN_OR_RETURN(const bool is_local, my_destination_.matches(domain));
    if (is_local) return true;
    return relay_domains_.matches(domain);
}

std::string Restrictions::at_recipient(const RestrictionSubject& subject) const {
    // RFC 5321 4.5.1: postmaster without a domain must be accepted.
    if (equals_ignoring_case(subject.recipient, "postmaster")) return {};
    const std::array<List, 5> order =
        relay_first_
            ? std::array{List::client, List::helo, List::sender, List::relay, List::recipient}
            : std::array{List::client, List::helo, List::sender, List::recipient, List::relay};
    for (const List list : order) {
        std::string answer = ask(list, subject);
        if (!answer.empty()) return answer;
    }
    return refusing_transports_.refusal_of(subject.recipient, [&](std::string_view recipient) {
        return class_of(recipient, subject.local);
    });
}

// A table that can not say now makes nobody local, and nobody is refused for it.
RecipientClass Restrictions::class_of(std::string_view recipient, const IpAddress& local) const {
    std::string_view domain = domain_of(recipient);
    if (domain.empty()) domain = my_origin_;
    if (const auto literal = address_in_literal(domain))
        return literal->unmapped() == local.unmapped() ? RecipientClass::local
                                                       : RecipientClass::other;
    const auto is_local = my_destination_.matches(domain);
    if (is_local && *is_local) return RecipientClass::local;
    const auto is_relay = relay_domains_.matches(domain);
    return is_relay && *is_relay ? RecipientClass::relay : RecipientClass::other;
}

std::string Restrictions::at_data(const RestrictionSubject& subject) const {
    return ask(List::data, subject);
}

std::string Restrictions::at_end_of_data(const RestrictionSubject& subject) const {
    return ask(List::end_of_data, subject);
}

std::string Restrictions::ask(List list, const RestrictionSubject& subject) const {
    // What a plain reject or defer in this list speaks about.
    const auto rejected = [&](int64_t code, std::string_view dsn, std::string_view why) {
        std::string_view about;
        std::string_view what;
        switch (list) {
            case List::client:
                about = subject.client_name_address, what = "Client host";
                break;
            case List::helo:
                about = subject.helo, what = "Helo command";
                break;
            case List::sender:
                about = subject.sender, what = "Sender address";
                break;
            case List::relay:
            case List::recipient:
                about = subject.recipient, what = "Recipient address";
                break;
            case List::data:
                about = "DATA", what = "Data command";
                break;
            case List::end_of_data:
                about = "END-OF-MESSAGE", what = "End-of-data";
                break;
        }
        return refusal(code, with_class(code, dsn), about,
                       std::string(what).append(" rejected: ").append(why));
    };
    const bool has_recipient = !subject.recipient.empty();  // none at DATA for several
    for (const Step step : lists_[static_cast<size_t>(list)]) {
        switch (step) {
            case Step::permit:
                return {};
            case Step::reject:
                return rejected(reject_code_, "5.7.1", "Access denied");
            case Step::defer:
                return rejected(defer_code_, "4.3.2", "Try again later");
            case Step::permit_mynetworks:
                if (my_networks_.contains(subject.client)) return {};
                break;
            case Step::permit_sasl_authenticated:
                break;  // nobody is, until AUTH exists
            case Step::permit_auth_destination:
            case Step::reject_unauth_destination:
            case Step::defer_unauth_destination: {
                if (!has_recipient) break;
                const auto authorized = is_authorized_destination(subject.recipient, subject.local);
                if (!authorized)
                    return refusal(451, "4.3.0", subject.recipient, "Temporary lookup failure");
                if (*authorized && step == Step::permit_auth_destination) return {};
                if (*authorized || step == Step::permit_auth_destination) break;
                const bool defers = step == Step::defer_unauth_destination && relay_code_ >= 500;
                const int64_t code = defers ? relay_code_ - 100 : relay_code_;
                return refusal(code, with_class(code, "5.7.1"), subject.recipient,
                               "Relay access denied");
            }
            case Step::reject_non_fqdn_sender:
                if (subject.sender.empty() || is_fully_qualified_address(subject.sender)) break;
                return refusal(non_fqdn_code_, with_class(non_fqdn_code_, "5.5.2"), subject.sender,
                               "Sender address rejected: need fully-qualified address");
            case Step::reject_non_fqdn_recipient:
                if (!has_recipient || is_fully_qualified_address(subject.recipient)) break;
                return refusal(non_fqdn_code_, with_class(non_fqdn_code_, "5.5.2"),
                               subject.recipient,
                               "Recipient address rejected: need fully-qualified address");
            case Step::reject_non_fqdn_helo_hostname:
                if (subject.helo.empty() || subject.helo.starts_with('[') ||
                    is_fully_qualified(subject.helo))
                    break;
                return refusal(non_fqdn_code_, with_class(non_fqdn_code_, "5.5.2"), subject.helo,
                               "Helo command rejected: need fully-qualified hostname");
            case Step::reject_invalid_helo_hostname:
                if (subject.helo.empty() || is_address_literal(subject.helo) ||
                    IpAddress::parse(subject.helo) ||
                    is_valid_hostname(without_final_dot(subject.helo)))
                    break;
                return refusal(invalid_hostname_code_, with_class(invalid_hostname_code_, "5.5.2"),
                               subject.helo,
                               subject.helo.starts_with('[')
                                   ? "Helo command rejected: invalid ip address"
                                   : "Helo command rejected: Invalid name");
        }
    }
    return {};
}

}  // namespace posthaste::smtpd
