// What the command line of causeway-bench asks for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/client.h"
#include "tools/bench/session_pool.h"

namespace causeway::bench {

/// One server: where it listens and which domain it serves.
struct Endpoint {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0: 5222, or 5223 with direct TLS
    std::string domain;
};

enum class Scenario { idle, login, chat, rate, presence, events, s2s, restart, crowd };

/// Options of all scenarios; each scenario reads those that its help names. Times are in seconds.
struct Options {
    Scenario scenario = Scenario::chat;
    Endpoint server;
    Endpoint peer;  ///< s2s, presence: the other side
    std::string user_pattern = "user%d";
    std::string password_pattern = "password";
    unsigned first_user = 0;
    Mechanism mechanism = Mechanism::scram_sha_1;
    bool direct_tls = false;
    bool stream_management = false;
    bool json = false;
    TlsSettings tls;
    std::vector<int> server_processes;
    double timeout = 30;
    LoginPace pace;

    unsigned sessions = 1000;  // idle
    unsigned baseline = 0;
    double settle = 3;
    double hold = 5;
    bool presence = true;

    unsigned count = 0;       // login, chat, s2s, presence
    unsigned accounts = 100;  // login

    unsigned pairs = 100;  // chat, rate, s2s
    unsigned in_flight = 10;
    double duration = 10;
    double warm_up = 2;
    unsigned body_bytes = 100;
    std::string message_type = "chat";
    bool bare_address = false;
    double rate = 500;  // rate

    unsigned subscribers = 500;  // presence, events
    unsigned remote = 0;         // of the subscribers
    unsigned groups = 0;

    std::string restart_command;  // restart
    unsigned messages = 1;

    unsigned contacts = 300;  // crowd
};

/// Settings of the account with this number (counted from `first_user`) at an endpoint.
[[nodiscard]] ClientSettings client_settings(const Options& options, const Endpoint& endpoint,
                                             unsigned number, std::string resource);

}  // namespace causeway::bench
