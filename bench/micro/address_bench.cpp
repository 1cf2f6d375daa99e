// The small parsers of an SMTP conversation: a command line and its parameters, the path in it, its
// domain; and, in the agent, a server's reply. Each runs once or more for every recipient.
#include <benchmark/benchmark.h>
#include <string>
#include <string_view>

#include "mail/address.h"
#include "mail/path.h"
#include "mail/smtp_command.h"
#include "mail/smtp_reply.h"

namespace posthaste {
namespace {

void path(benchmark::State& state, std::string_view text) {
    if (!parse_path(text, {.utf8 = true})) state.SkipWithError("not an address");
    for (auto _ : state) {
        benchmark::DoNotOptimize(text);
        benchmark::DoNotOptimize(parse_path(text, {.utf8 = true}));
    }
}

BENCHMARK_CAPTURE(path, plain, "<recipient@somewhere.example.net>")->Name("BM_address_path/plain");
BENCHMARK_CAPTURE(path, quoted, "<\"a quoted\\\" part\"@somewhere.example.net>")
    ->Name("BM_address_path/quoted");
BENCHMARK_CAPTURE(path, literal, "<user@[IPv6:2001:db8::1]>")->Name("BM_address_path/literal");
BENCHMARK_CAPTURE(path, utf8,
                  "<jos\xc3\xa9@b\xc3\xbc"
                  "cher.example>")
    ->Name("BM_address_path/utf8");

// The longest there may be, and the same with nothing in it that ends: what cannot be parsed must
// not cost more.
void BM_address_path_longest(benchmark::State& state) {
    const std::string text =
        "<" + std::string(60, 'a') + "@" + std::string(kAddressBytesMax - 62, 'b') + ">";
    for (auto _ : state) benchmark::DoNotOptimize(parse_path(text, {}));
}

BENCHMARK(BM_address_path_longest);

void BM_address_path_never_ends(benchmark::State& state) {
    const std::string text = "<\"" + std::string(static_cast<size_t>(state.range(0)), '\\');
    for (auto _ : state) benchmark::DoNotOptimize(parse_path(text, {}));
    state.SetComplexityN(state.range(0));
}

BENCHMARK(BM_address_path_never_ends)
    ->ArgName("bytes")
    ->Range(256, 2048)
    ->Complexity(benchmark::oN);

void BM_address_domain(benchmark::State& state) {
    constexpr std::string_view kAddress = "recipient@somewhere.example.net";
    for (auto _ : state) benchmark::DoNotOptimize(domain_of(kAddress));
}

BENCHMARK(BM_address_domain);

void BM_address_valid(benchmark::State& state) {
    constexpr std::string_view kAddress = "recipient@somewhere.example.net";
    for (auto _ : state) benchmark::DoNotOptimize(is_valid_address(kAddress, false));
}

BENCHMARK(BM_address_valid);

void mail_from(benchmark::State& state, std::string_view line) {
    MailCommand command;
    for (auto _ : state) {
        const CommandLine parsed = parse_command_line(line);
        const ParameterFault fault = parse_mail(parsed.argument, {.offers_utf8 = true}, command);
        if (fault.code != 0) state.SkipWithError(fault.text.c_str());
        benchmark::DoNotOptimize(command.sender);
    }
}

BENCHMARK_CAPTURE(mail_from, plain, "MAIL FROM:<sender@customer.example.org>")
    ->Name("BM_command_mail/plain");
BENCHMARK_CAPTURE(mail_from, size,
                  "MAIL FROM:<sender@customer.example.org> SIZE=4096 BODY=8BITMIME")
    ->Name("BM_command_mail/size_body");
BENCHMARK_CAPTURE(mail_from, dsn,
                  "MAIL FROM:<sender@customer.example.org> SIZE=4096 RET=HDRS ENVID=QQ314159+2B1")
    ->Name("BM_command_mail/dsn");

void rcpt_to(benchmark::State& state, std::string_view line) {
    RcptCommand command;
    for (auto _ : state) {
        const CommandLine parsed = parse_command_line(line);
        const ParameterFault fault = parse_rcpt(parsed.argument, {}, false, command);
        if (fault.code != 0) state.SkipWithError(fault.text.c_str());
        benchmark::DoNotOptimize(command.recipient);
    }
}

BENCHMARK_CAPTURE(rcpt_to, plain, "RCPT TO:<recipient@somewhere.example.net>")
    ->Name("BM_command_rcpt/plain");
BENCHMARK_CAPTURE(rcpt_to, dsn,
                  "RCPT TO:<recipient@somewhere.example.net> NOTIFY=FAILURE,DELAY "
                  "ORCPT=rfc822;recipient@somewhere.example.net")
    ->Name("BM_command_rcpt/dsn");

void reply(benchmark::State& state, std::string_view text) {
    SmtpReplyParser parser;
    SmtpReply out;
    for (auto _ : state) {
        std::string_view bytes = text;
        if (parser.consume(bytes, out) != SmtpReplyParser::State::complete)
            state.SkipWithError("incomplete");
        benchmark::DoNotOptimize(out.code);
    }
}

BENCHMARK_CAPTURE(reply, ok, "250 2.0.0 Ok: queued as 4Xy9kz1W2Nz3\r\n")->Name("BM_reply/ok");
BENCHMARK_CAPTURE(
    reply, ehlo,
    "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n250-ETRN\r\n"
    "250-STARTTLS\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n"
    "250 CHUNKING\r\n")
    ->Name("BM_reply/ehlo");

}  // namespace
}  // namespace posthaste
