#include "cleanup/rewrite/unbound_resolver.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>

#include "base/fd.h"

#include "runtime/testing_loop.h"

#include "cleanup/rewrite/dns_data.h"

namespace posthaste::rewrite {
namespace {

using testing::ElementsAre;

// A name server on loopback that answers when told to look: RFC 1035, one question, UDP.
class NameServer {
 public:
    NameServer() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        socklen_t size = sizeof address;
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
    }

    Endpoint endpoint() const { return {IpAddress::v4(127, 0, 0, 1), port_}; }

    // rdata in wire form. A name without records does not exist.
    void has(const std::string& name, int type, std::string data) {
        records_[{name, type}].push_back(std::move(data));
    }

    void fails(const std::string& name) { failing_[name] = true; }

    bool was_asked(const std::string& name) const { return asked_.contains(name); }

    void answer_what_came() {
        char query[1500];
        sockaddr_in from{};
        socklen_t size = sizeof from;
        ssize_t got = 0;
        while ((got = ::recvfrom(socket_.get(), query, sizeof query, 0,
                                 reinterpret_cast<sockaddr*>(&from), &size)) > 0) {
            const std::string reply = answer({query, static_cast<size_t>(got)});
            ::sendto(socket_.get(), reply.data(), reply.size(), 0,
                     reinterpret_cast<sockaddr*>(&from), size);
        }
    }

 private:
    static std::string number(int value) {
        return {static_cast<char>(value >> 8), static_cast<char>(value)};
    }

    std::string answer(std::string_view query) {
        std::string_view rest;
        const auto name = read_dns_name(query.substr(12), rest);
        if (!name || rest.size() < 4) return {};
        asked_.insert(*name);
        const int type = static_cast<uint8_t>(rest[0]) << 8 | static_cast<uint8_t>(rest[1]);
        const auto found = records_.find({*name, type});
        const auto below = records_.lower_bound({*name, 0});
        const bool exists = below != records_.end() && below->first.first == *name;
        const size_t count = found == records_.end() ? 0 : found->second.size();
        const int rcode = failing_.contains(*name) ? 2 : exists ? 0 : 3;
        // QR, RD, RA; the question as it came.
        std::string out = std::string(query.substr(0, 2)) + "\x81" +
                          static_cast<char>(0x80 | rcode) + number(1) +
                          number(static_cast<int>(count)) + number(0) + number(0);
        out += query.substr(12, query.size() - 12 - rest.size() + 4);
        for (size_t i = 0; i < count; ++i) {
            const std::string& data = found->second[i];
            out += "\xc0\x0c" + number(type) + number(1) + number(0) + number(300) +
                   number(static_cast<int>(data.size())) + data;
        }
        return out;
    }

    Fd socket_;
    uint16_t port_ = 0;
    std::map<std::pair<std::string, int>, std::vector<std::string>> records_;
    std::map<std::string, bool> failing_;
    std::set<std::string> asked_;
};

struct UnboundResolverTest : testing::Test {
    UnboundResolverTest() {
        auto started = UnboundResolver::start(loop, {{server.endpoint()}, {}});
        EXPECT_TRUE(started);
        if (started) resolver = std::move(*started);
    }

    ~UnboundResolverTest() override {
        resolver.reset();
        loop.poll_once();  // lets the loop drop the watch
    }

    // Until `done`: how long that takes is the machine's affair.
    void serve_until(const bool& done) {
        while (!done) {
            server.answer_what_came();
            loop.poll_once(5);
        }
    }

    TestingLoop loop;
    NameServer server;
    std::unique_ptr<UnboundResolver> resolver;
};

const std::string kMx1 = std::string("\0\x0a\3mx1\1a\4test\0", 14);

TEST_F(UnboundResolverTest, FindsMx) {
    server.has("a.test", 15, kMx1);
    server.has("a.test", 15, std::string("\0\x05\0", 3));
    MxAnswer got;
    bool done = false;
    resolver->mx("a.test", [&](MxAnswer answer) {
        got = std::move(answer);
        done = true;
    });
    EXPECT_FALSE(done) << "never from inside the call";
    serve_until(done);
    EXPECT_EQ(got.status, DnsStatus::ok);
    EXPECT_EQ(got.ttl_s, 300U);
    ASSERT_EQ(got.records.size(), 2U);
    std::sort(got.records.begin(), got.records.end(),
              [](const MxRecord& a, const MxRecord& b) { return a.preference < b.preference; });
    EXPECT_EQ(got.records[0].host, "");
    EXPECT_EQ(got.records[1].host, "mx1.a.test");
}

TEST_F(UnboundResolverTest, FindsAddressesOfBothFamilies) {
    server.has("h.example", 1, std::string("\xc0\0\2\1", 4));
    server.has("h.example", 28, std::string("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16));
    std::vector<std::string> got;
    bool done = false;
    const auto take = [&](const AddressAnswer& answer) {
        for (const IpAddress& address : answer.addresses) got.push_back(address.text());
        done = got.size() == 2;
    };
    resolver->addresses("h.example", false, take);
    resolver->addresses("h.example", true, take);
    serve_until(done);
    EXPECT_THAT(got, testing::UnorderedElementsAre("192.0.2.1", "2001:db8::1"));
}

TEST_F(UnboundResolverTest, TellsNothingNoDataAndFailureApart) {
    server.has("h.example", 1, std::string("\xc0\0\2\1", 4));
    server.fails("ill.example");
    std::map<std::string, DnsStatus> got;
    bool done = false;
    for (const std::string name : {"gone.example", "h.example", "ill.example"}) {
        resolver->mx(name, [&, name](const MxAnswer& answer) {
            got[name] = answer.status;
            done = got.size() == 3;
        });
    }
    serve_until(done);
    EXPECT_EQ(got["gone.example"], DnsStatus::no_such_name);
    EXPECT_EQ(got["h.example"], DnsStatus::no_data);
    EXPECT_EQ(got["ill.example"], DnsStatus::failed);
}

TEST_F(UnboundResolverTest, NamesPrivateAddressesAndKnowsLocalhost) {
    server.has("1.0.0.10.in-addr.arpa", 12, std::string("\3app\4test\0", 10));
    std::vector<std::string> names;
    bool done = false;
    resolver->names(IpAddress::v4(10, 0, 0, 1), [&](const NameAnswer& answer) {
        names = answer.names;
        done = true;
    });
    serve_until(done);
    EXPECT_THAT(names, ElementsAre("app.test"));
    done = false;
    resolver->addresses("localhost", false, [&](const AddressAnswer& answer) {
        EXPECT_EQ(answer.addresses.size(), 1U);
        done = true;
    });
    serve_until(done);
}

TEST_F(UnboundResolverTest, HoldsManyQuestionsAtOnce) {
    constexpr int kCount = 2'000;
    for (int i = 0; i < kCount; ++i)
        server.has("h" + std::to_string(i) + ".example", 1, std::string("\xc0\0\2\1", 4));
    int good = 0;
    int answers = 0;
    bool done = false;
    for (int i = 0; i < kCount; ++i) {
        resolver->addresses("h" + std::to_string(i) + ".example", false,
                            [&](const AddressAnswer& answer) {
                                good += answer.status == DnsStatus::ok ? 1 : 0;
                                done = ++answers == kCount;
                            });
    }
    serve_until(done);
    EXPECT_EQ(good, kCount);
}

TEST_F(UnboundResolverTest, BelievesAForwarderThatKnowsNoSignaturesWhateverTheAnchor) {
    const std::string root_ds =
        ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";
    auto validating = UnboundResolver::start(loop, {{server.endpoint()}, {root_ds}});
    ASSERT_TRUE(validating);
    resolver = std::move(*validating);
    server.has("h.example", 1, std::string("\xc0\0\2\1", 4));
    bool done = false;
    resolver->addresses("h.example", false, [&](const AddressAnswer& answer) {
        EXPECT_EQ(answer.status, DnsStatus::ok);
        done = true;
    });
    serve_until(done);
}

TEST_F(UnboundResolverTest, RefusesATrustAnchorThatIsNone) {
    EXPECT_FALSE(UnboundResolver::start(loop, {{}, {"this is no record"}}));
}

TEST_F(UnboundResolverTest, TellsNothingOfWhatIsForgotten) {
    server.has("a.example", 1, std::string("\xc0\0\2\1", 4));
    server.has("b.example", 1, std::string("\xc0\0\2\1", 4));
    bool done = false;
    const uint64_t forgotten =
        resolver->addresses("a.example", false, [](const AddressAnswer&) { FAIL(); });
    resolver->forget(forgotten);
    resolver->forget(forgotten);
    resolver->addresses("b.example", false, [&](const AddressAnswer&) { done = true; });
    serve_until(done);
    done = false;
    resolver->addresses("a.example", false, [&](const AddressAnswer& answer) {
        EXPECT_EQ(answer.status, DnsStatus::ok);
        done = true;
    });
    serve_until(done);
}

TEST_F(UnboundResolverTest, MayGoWithQuestionsOpen) {
    resolver->mx("never.example", [](const MxAnswer&) { FAIL(); });
    resolver.reset();
}

}  // namespace
}  // namespace posthaste::rewrite
