// XEP-0198 Stream Management: offered to clients and, once their certificate has proven who they
// are, to servers; asked for where another server offers it. The session in c2s and the streams in
// s2s count the stanzas. What an earlier process left of streams that nobody came back to is erased
// once the time for that is over. If that process was killed, everybody who saw such a session as
// available is told then that it is not.
#include <array>
#include <charconv>
#include <set>
#include <string>

#include "gateway/base/log.h"
#include "gateway/session/account.h"
#include "gateway/session/accounts.h"
#include "gateway/session/hub.h"
#include "gateway/session/kept_stream.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

void offer(Negotiation&, std::string& out) {
    out += XmlBuilder().empty("sm", ns::stream_management).take();
}

void handle(Negotiation& negotiation, Element& element, Arena&) { negotiation.manage(element); }

/// Another server offers it: only then. With dialback no features follow, and so none of this.
bool begin(Negotiation& negotiation, const Element* features) {
    return features != nullptr && features->child(ns::stream_management, "sm") != nullptr &&
           negotiation.request_management();
}

constexpr std::array features{
    StreamFeature{.side = StreamSide::client,
                  .ns = ns::stream_management,
                  .needs = stream_bits::authenticated,
                  .offer = offer,
                  .handle = handle},
    StreamFeature{.side = StreamSide::server,
                  .ns = ns::stream_management,
                  .needs = stream_bits::authenticated,
                  .offer = offer,
                  .handle = handle},
    StreamFeature{.side = StreamSide::server,
                  .role = StreamRole::initiating,
                  .ns = ns::stream_management,
                  .needs = stream_bits::authenticated,
                  .forbids = stream_bits::managed | stream_bits::only_asks,
                  .begin = begin,
                  .handle = handle},
};

constexpr std::array stores{OwnedStore{StreamRecords::store, OwnedStore::Shape::map}};

/// Of the first shard.
class Sweep final : public SlotState, private TimerTarget {
public:
    explicit Sweep(Hub& hub) : hub_(hub) {
        // A stream can be resumed as long after the start as after a break.
        hub_.shard.timers().arm(
            timer_, std::chrono::duration_cast<Duration>(hub_.limits().resume_seconds), *this);
    }

private:
    static constexpr std::size_t page = 500;
    static constexpr Duration again_after{60'000};
    /// Between two pages: each may make some hundred accounts be read, and speak to their contacts.
    static constexpr Duration between_pages{1000};

    void on_timer(std::uint32_t) override { next_page(); }

    void next_page() {
        hub_.shared.store.map_scan(std::string(StreamRecords::store), owner_, key_, page,
                                   hub_.shard,
                                   [this](const Result<std::vector<MapEntry>>& entries) {
                                       if (!entries) {
                                           CAUSEWAY_LOG(error, "stream_management.unreadable",
                                                        {"cause", entries.error().why()});
                                           hub_.shard.timers().arm(timer_, again_after, *this);
                                           return;
                                       }
                                       for (const MapEntry& entry : *entries) look_at(entry);
                                       if (entries->size() < page) return;
                                       owner_ = entries->back().owner;
                                       key_ = entries->back().key;
                                       hub_.shard.timers().arm(timer_, between_pages, *this);
                                   });
    }

    void look_at(const MapEntry& entry) {
        std::uint64_t stream = 0;
        static_cast<void>(std::from_chars(
            entry.key.data(), entry.key.data() + std::min<std::size_t>(entry.key.size(), 16),
            stream, 16));
        Hub& home = hub_.home_of(entry.owner);
        hub_.at(home, [&home, stream, entry] {
            if (home.stream_records.known(stream)) return;
            if (entry.key == stream_state_key(stream)) never_back(home, entry);
            home.stream_records.erase_left(entry.owner, entry.key);
            if (Account* account = home.accounts->find(entry.owner)) {
                account->inbox().never_back(stream);
            }
        });
    }

    /// RFC 6121 §4.5.2, §4.6.3: as if its session had ended now.
    static void never_back(Hub& home, const MapEntry& entry) {
        const auto account = Jid::parse(entry.owner);
        const auto state = StreamState::parse(entry.value);
        if (!account || !account->has_local() || !state || state->gone || state->unseen ||
            (state->presence.empty() && state->directed.empty())) {
            return;
        }
        home.accounts->get(entry.owner)
            .in_order([&home, account = *account, state = *state](const Outcome& loaded) {
                Account* its = home.accounts->find(account.bare());
                if (!loaded || its == nullptr || its->barred() ||
                    its->sessions().find(state.resource) != nullptr) {
                    return;
                }
                std::set<Jid> directed;
                for (const std::string& to : state.directed) {
                    if (const auto address = Jid::parse(to)) directed.insert(*address);
                }
                its->presence().never_back(account.with_resource(state.resource),
                                           !state.presence.empty(), directed);
            });
    }

    Hub& hub_;
    std::string owner_, key_;
    Timer timer_;
};
constexpr Slot<Sweep> sweep_slot{"stream-management-sweep"};

void started(const Life& life) {
    if (life.hub.shard.index() == 0) life.hub.slots.make(sweep_slot, life.hub);
}

constexpr std::array life{LifeHook{LifeEvent::started, started}};

}  // namespace

extern const Feature stream_management;
const Feature stream_management{.name = "stream_management",
                                .xep = 198,
                                .version = "1.6.3",
                                .points = {.life = life},
                                .stream = features,
                                .stores = stores};

}  // namespace causeway
