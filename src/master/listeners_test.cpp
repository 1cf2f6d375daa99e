#include "master/listeners.h"

#include <arpa/inet.h>
#include <chrono>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>

#include "runtime/socket_address.h"

namespace posthaste {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> endpoints(std::string_view name, std::string_view settings,
                                   std::string* fault = nullptr) {
    std::string ignored;
    std::vector<std::string> out;
    for (const Endpoint& endpoint :
         listen_endpoints(name, Settings::initial(settings), fault ? *fault : ignored))
        out.push_back(endpoint.text());
    return out;
}

TEST(ListenEndpoints, FollowInterfacesAndProtocols) {
    EXPECT_THAT(endpoints("2525", ""), ElementsAre("0.0.0.0:2525", "[::]:2525"));
    EXPECT_THAT(endpoints("2525", "inet_protocols = ipv4\n"), ElementsAre("0.0.0.0:2525"));
    EXPECT_THAT(endpoints("2525", "inet_interfaces = loopback-only\n"),
                ElementsAre("127.0.0.1:2525", "[::1]:2525"));
    EXPECT_THAT(endpoints("2525", "inet_interfaces = 127.0.0.1, [::1]\n"),
                ElementsAre("127.0.0.1:2525", "[::1]:2525"));
}

TEST(ListenEndpoints, AHostOfItsOwnStandsAlone) {
    EXPECT_THAT(endpoints("127.0.0.2:2525", ""), ElementsAre("127.0.0.2:2525"));
    EXPECT_THAT(endpoints("[::1]:2525", ""), ElementsAre("[::1]:2525"));
    EXPECT_THAT(endpoints("127.0.0.1:smtp", ""), ElementsAre("127.0.0.1:25"));
}

TEST(ListenEndpoints, NamesWhatMeansNothing) {
    std::string fault;
    EXPECT_TRUE(endpoints("no-such-service", "", &fault).empty());
    EXPECT_THAT(fault, HasSubstr("neither a number nor a known service"));
    EXPECT_TRUE(endpoints("0", "", &fault).empty());
    EXPECT_TRUE(endpoints("70000", "", &fault).empty());
    fault.clear();
    EXPECT_TRUE(endpoints("[::1]:25", "inet_protocols = ipv4\n", &fault).empty());
    EXPECT_THAT(fault, HasSubstr("no address is left"));
}

class ListenersTest : public testing::Test {
 protected:
    void SetUp() override {
        char name[] = "/tmp/posthaste-listen-XXXXXX";
        queue_ = ::mkdtemp(name);
        ::mkdir((queue_ + "/public").c_str(), 0755);
        ::mkdir((queue_ + "/private").c_str(), 0700);
        plan_.settings = Settings::initial("queue_directory = " + queue_ + "\n");
    }

    void TearDown() override { (void)!::system(("rm -r " + queue_).c_str()); }

    void add(Role role, std::string program, std::string name, ServiceType type, bool is_private,
             unsigned processes) {
        PlannedService service;
        service.entry.name = std::move(name);
        service.entry.program = std::move(program);
        service.entry.type = type;
        service.entry.is_private = is_private;
        service.entry.place = {"master.cf", 7};
        service.row = row_of(role);
        service.settings = plan_.settings;
        service.process_count = processes;
        plan_.services.push_back(std::move(service));
    }

    std::string queue_;
    Plan plan_;
    std::string fault_;
};

uint16_t free_port() {
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    SocketAddress address = to_socket_address(*Endpoint::parse("127.0.0.1:0"));
    if (::bind(fd.get(), address.get(), address.length) != 0) return 0;
    address.length = sizeof address.storage;
    ::getsockname(fd.get(), address.get(), &address.length);
    return to_endpoint(address).port;
}

TEST_F(ListenersTest, EachWorkerHasItsOwnSocketOfThePort) {
    const std::string name = "127.0.0.1:" + std::to_string(free_port());
    add(Role::smtpd, "smtpd", name, ServiceType::inet, false, 2);
    Listeners listeners;
    ASSERT_TRUE(listeners.open(plan_, fault_)) << fault_;
    const auto first = listeners.of(plan_.services[0], 0);
    const auto second = listeners.of(plan_.services[0], 1);
    ASSERT_EQ(first.size(), 1U);
    ASSERT_EQ(second.size(), 1U);
    EXPECT_EQ(first[0].name, name);
    EXPECT_NE(first[0].descriptor, second[0].descriptor);
    // Again (a reload): nothing new, and no quarrel with ourselves.
    ASSERT_TRUE(listeners.open(plan_, fault_)) << fault_;
    EXPECT_EQ(listeners.of(plan_.services[0], 0)[0].descriptor, first[0].descriptor);
}

TEST_F(ListenersTest, APortInUseIsNamedEvenIfItsHolderWouldShareIt) {
    const std::string name = "127.0.0.1:" + std::to_string(free_port());
    add(Role::smtpd, "smtpd", name, ServiceType::inet, false, 1);
    Listeners other;
    ASSERT_TRUE(other.open(plan_, fault_));
    Listeners listeners;
    EXPECT_FALSE(listeners.open(plan_, fault_));
    EXPECT_THAT(fault_, HasSubstr("master.cf:7: cannot listen on " + name));
    EXPECT_THAT(fault_, HasSubstr("ss -ltnp"));
    EXPECT_TRUE(listeners.of(plan_.services[0], 0).empty());
}

TEST_F(ListenersTest, APortThatBecomesFreeIsWaitedForAtTheStart) {
    const uint16_t port = free_port();
    add(Role::smtpd, "smtpd", "127.0.0.1:" + std::to_string(port), ServiceType::inet, false, 1);
    auto other = std::make_unique<Listeners>();
    ASSERT_TRUE(other->open(plan_, fault_));
    std::thread ending([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        other.reset();
    });
    Listeners listeners;
    EXPECT_TRUE(listeners.open(plan_, fault_)) << fault_;
    ending.join();
}

TEST_F(ListenersTest, AReloadMayMoveAPortToAnotherService) {
    const std::string port = std::to_string(free_port());
    add(Role::smtpd, "smtpd", "127.0.0.1:" + port, ServiceType::inet, false, 1);
    Listeners listeners;
    ASSERT_TRUE(listeners.open(plan_, fault_)) << fault_;
    plan_.services.clear();
    add(Role::smtpd, "smtpd", port, ServiceType::inet, false, 1);
    ASSERT_TRUE(listeners.open(plan_, fault_)) << fault_;
    listeners.close_unneeded(plan_);
    EXPECT_GE(listeners.of(plan_.services[0], 0).size(), 1U);
}

// How many of `clients` new ones each of the sockets is given; the clients stay in their queues.
std::vector<size_t> shares(const std::vector<Fd>& sockets, uint16_t port, size_t clients) {
    std::vector<Fd> connected;
    for (size_t i = 0; i < clients; ++i) {
        Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const SocketAddress address =
            to_socket_address(*Endpoint::parse("127.0.0.1:" + std::to_string(port)));
        EXPECT_EQ(::connect(fd.get(), address.get(), address.length), 0);
        connected.push_back(std::move(fd));
    }
    std::vector<size_t> out;
    for (const Fd& socket : sockets) {
        size_t given = 0;
        while (Fd(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC))) ++given;
        out.push_back(given);
    }
    return out;
}

TEST_F(ListenersTest, NoNewClientComesToAWorkerThatIsTakenAway) {
    const uint16_t port = free_port();
    add(Role::smtpd, "smtpd", "127.0.0.1:" + std::to_string(port), ServiceType::inet, false, 4);
    Listeners listeners;
    ASSERT_TRUE(listeners.open(plan_, fault_)) << fault_;
    std::vector<Fd> workers;  // as they have them open
    const auto worker_starts = [&](unsigned worker) {
        workers.emplace_back(::dup(listeners.of(plan_.services[0], worker)[0].descriptor));
    };
    for (unsigned worker = 0; worker < 4; ++worker) worker_starts(worker);
    EXPECT_THAT(shares(workers, port, 400), testing::Each(testing::Gt(0U)));

    plan_.services[0].process_count = 2;
    listeners.close_unneeded(plan_);
    EXPECT_THAT(shares(workers, port, 400), ElementsAre(testing::Gt(0U), testing::Gt(0U), 0U, 0U));
    // Before they have gone one of them is wanted again.
    plan_.services[0].process_count = 3;
    ASSERT_TRUE(listeners.open(plan_, fault_)) << fault_;
    listeners.close_unneeded(plan_);
    EXPECT_EQ(shares(workers, port, 400)[3], 0U);
    listeners.close_surplus(plan_);
    workers.resize(3);
    EXPECT_THAT(shares(workers, port, 400), testing::Each(testing::Gt(0U)));
    // And behind that.
    plan_.services[0].process_count = 4;
    ASSERT_TRUE(listeners.open(plan_, fault_)) << fault_;
    listeners.close_unneeded(plan_);
    worker_starts(3);
    EXPECT_THAT(shares(workers, port, 400), testing::Each(testing::Gt(0U)));
}

TEST_F(ListenersTest, APortThatLostWorkersIsWholeForTheServiceThatTakesItOver) {
    const uint16_t port = free_port();
    const std::string number = std::to_string(port);
    add(Role::smtpd, "smtpd", "127.0.0.1:" + number, ServiceType::inet, false, 4);
    Listeners listeners;
    ASSERT_TRUE(listeners.open(plan_, fault_)) << fault_;
    plan_.services[0].process_count = 2;
    listeners.close_unneeded(plan_);
    listeners.close_surplus(plan_);
    plan_.services.clear();
    plan_.settings = Settings::initial("queue_directory = " + queue_ +
                                       "\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n");
    add(Role::smtpd, "smtpd", number, ServiceType::inet, false, 4);
    ASSERT_TRUE(listeners.open(plan_, fault_)) << fault_;
    listeners.close_unneeded(plan_);
    std::vector<Fd> workers;
    for (unsigned worker = 0; worker < 4; ++worker)
        workers.emplace_back(::dup(listeners.of(plan_.services[0], worker).at(0).descriptor));
    EXPECT_THAT(shares(workers, port, 400), testing::Each(testing::Gt(0U)));
}

TEST_F(ListenersTest, UnixSocketsLieInPublicOrPrivate) {
    add(Role::qmgr, "qmgr", "qmgr", ServiceType::unix_stream, false, 1);
    add(Role::store, "store", "store", ServiceType::unix_stream, true, 1);
    add(Role::postlogd, "postlogd", "postlog", ServiceType::unix_dgram, false, 1);
    add(Role::cleanup, "cleanup", "cleanup", ServiceType::unix_stream, true, 1);
    Listeners listeners;
    ASSERT_TRUE(listeners.open(plan_, fault_)) << fault_;
    EXPECT_EQ(listeners.of(plan_.services[0], 0).at(0).name, "public/qmgr");
    EXPECT_EQ(listeners.of(plan_.services[1], 0).at(0).name, "public/showq");
    EXPECT_EQ(listeners.of(plan_.services[2], 0).at(0).name, "public/postlog");
    EXPECT_TRUE(listeners.of(plan_.services[3], 0).empty());

    struct stat status {};

    ASSERT_EQ(::stat((queue_ + "/public/postlog").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(ListenersTest, WhatANewPlanDoesNotNameIsClosed) {
    add(Role::qmgr, "qmgr", "qmgr", ServiceType::unix_stream, false, 1);
    const PlannedService qmgr = plan_.services[0];
    Listeners listeners;
    ASSERT_TRUE(listeners.open(plan_, fault_));
    plan_.services.clear();
    listeners.close_unneeded(plan_);
    EXPECT_TRUE(listeners.of(qmgr, 0).empty());
}

}  // namespace
}  // namespace posthaste
