// SimDns: a Resolver that answers from a script. A name without a script does not exist. Owner: the
// test; it must outlive nothing, since pending answers die with it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/net/resolver.h"
#include "tests/support/sim_clock.h"

namespace causeway {

class SimDns final : public Resolver {
public:
    explicit SimDns(SimLoop& loop) : loop_(loop) {}

    void srv(std::string name, Answer<SrvAnswer> answer) override;
    void addresses(std::string host, Answer<AddressAnswer> answer) override;

    void set_srv(const std::string& name, std::vector<SrvRecord> records,
                 std::chrono::seconds ttl = std::chrono::seconds(300));
    void set_addresses(const std::string& host, const std::vector<std::string>& addresses,
                       std::chrono::seconds ttl = std::chrono::seconds(300));
    /// The name does not exist (the state of every name at first), for both kinds of question.
    void set_absent(const std::string& name);
    /// Nobody can say now: SERVFAIL, refusal or timeout.
    void set_retry(const std::string& name);
    /// Questions stay unanswered until the script for the name changes.
    void set_never(const std::string& name);

    /// Every question asked, in order, such as "SRV _xmpp-server._tcp.a.example" or "A a.example".
    [[nodiscard]] const std::vector<std::string>& questions() const { return questions_; }
    void clear_questions() { questions_.clear(); }

private:
    enum class Kind : unsigned char { absent, retry, never, records };
    template <class T>
    struct Entry {
        Kind kind = Kind::absent;
        T answer;
        std::vector<Answer<T>> waiting;
    };
    template <class T>
    void ask(std::map<std::string, Entry<T>>& entries, const std::string& name, Answer<T> answer);
    template <class T>
    void set(std::map<std::string, Entry<T>>& entries, const std::string& name, Kind kind,
             T answer);
    void set_both(const std::string& name, Kind kind);

    SimLoop& loop_;
    std::map<std::string, Entry<SrvAnswer>> srv_;
    std::map<std::string, Entry<AddressAnswer>> addresses_;
    std::vector<std::string> questions_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace causeway
