// tests/walls/stage.h: what stands around a service while it tries things: directories, other processes,
// a host's sockets, a peer's memory; and master's part in its start. Needs root.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

#include "runtime/control.h"

#include "master/process_table.h"
#include "walls/probe.h"

namespace posthaste::walls {

class Stage {
 public:
    Stage();
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;
    ~Stage();

    // Results of all acts at that moment; as Act::run says, or minus the signal it died of.
    std::vector<int> try_all(const RoleRow& row, Moment moment);

    // "6 13; 23": for each ring, the operations it lets in.
    std::string listed_operations(const RoleRow& row);

    struct Started {
        bool ready = false;
        std::string words;  // Ready's missing layers, or what Failed says
    };

    // Starts a service that does nothing; `before` is done to its process first.
    Started start(const RoleRow& row, SandboxMode mode, const std::function<void()>& before);

 private:
    struct Run {
        std::string output;
        int status = 0;
        std::optional<ControlMessage> first_words;
    };

    Run run(const RoleRow& row, const ProbeOrders& orders, SandboxMode mode,
            const std::function<void()>& before);
    ProbeOrders orders_for(const RoleRow& row, Moment moment);
    pid_t waiting_process(uint32_t user);
    std::string make_directory(const RoleRow& row);
    Fd make_memory(bool sealed);
    void listen_as_host();

    std::string directory_;
    std::map<uint32_t, pid_t> victims_;  // by user
    std::vector<Fd> sockets_;
    uint16_t tcp_port_ = 0;
    std::string unix_path_;
    std::string abstract_name_;
};

// Numbers that nobody has; one for each user parameter of the table.
uint32_t user_of(const RoleRow& row);

}  // namespace posthaste::walls
