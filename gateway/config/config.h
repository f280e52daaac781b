// Config: what the configuration file says, validated, with every default filled in. Plain values;
// once loaded it is not changed, and a reload makes a new one (see load.h and diff.h). A Config
// made in code holds the defaults but no domain; its paths are then relative to the working
// directory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gateway/base/endpoint.h"
#include "gateway/base/log.h"
#include "gateway/config/limits.h"

namespace causeway {

/// A value as TOML gives it, before the option looked at it.
using OptionValue = std::variant<std::int64_t, std::string, std::vector<std::string>, bool>;

/// Options of features that the file has, by key; read through their FeatureOption.
using FeatureValues = std::map<std::string, OptionValue, std::less<>>;

/// One domain that this process serves. [[domain]]
struct DomainConfig {
    std::string name;         ///< prepared: as the loader's DomainCheck returned it
    std::string certificate;  ///< path of a PEM chain; default tls/<name>.crt beside the file
    std::string key;          ///< path of a PEM private key; default tls/<name>.key beside the file
    FeatureValues of_features = {};  ///< what holds for this domain alone
};

struct Config {
    using Endpoint = causeway::Endpoint;
    using Endpoints = std::vector<Endpoint>;

    /// How another server may prove its domain.
    enum class PeerAuthentication : unsigned char { certificate_or_dialback, certificate };

    /// The port on every address of both families, as `[::]:port`.
    static Endpoint every_address(unsigned short port) { return {StreamProtocol::v6(), port}; }

    std::string path;  ///< the file it was read from; empty when made in code
    std::vector<DomainConfig> domains;

    struct Tls {
        std::string trust;  ///< CA bundle for other servers; empty: the system's store
    } tls;

    struct Store {
        std::string backend = "sqlite";
        std::string location = "causeway.db";  ///< for sqlite: the path of the database
    } store;

    /// A section that names either list has no default for the other.
    struct ClientListeners {
        Endpoints listen{every_address(5222)};      ///< STARTTLS, required
        Endpoints listen_tls{every_address(5223)};  ///< TLS from the first byte
    } c2s;

    struct Peers {
        Endpoints listen{every_address(5269)};
        Endpoints listen_tls{every_address(5270)};
        PeerAuthentication authentication = PeerAuthentication::certificate_or_dialback;
        std::optional<boost::asio::ip::address> bind;  ///< source of outgoing connections
    } s2s;

    struct Http {
        Endpoints listen_tls;  ///< off by default
        Endpoints listen;      ///< plain, loopback addresses only; off by default
    } http;

    struct Metrics {
        std::optional<Endpoint> listen;  ///< off by default
    } metrics;

    struct Dns {
        Endpoints servers;  ///< empty: the system's resolver configuration
    } dns;

    struct Control {
        std::string socket = "causeway.sock";
    } control;

    struct Log {
        log::Level level = log::Level::info;
        bool json = false;  ///< else logfmt
    } log;

    Limits limits;

    struct Server {
        unsigned threads = 0;  ///< shards; 0: one per core
    } server;

    FeatureValues of_features;
};

}  // namespace causeway
